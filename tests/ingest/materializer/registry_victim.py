"""A process that writes intents, materializes, and is killed: `python -m … FOLDER SEED WHAT`.

Intents that became durable are noted by number in a ledger of its own, fsynced, one a line. It dies at some insert of
what they came to, before or after it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from fleetlog_core.log.port import CONTROL
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Column
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer

from tests.ingest.materializer import document_intents
from tests.ingest.materializer import registry_intents as intents
from tests.ingest.materializer.builders import NOW
from tests.ingest.materializer.victim import LEDGER, acked
from tests.ingest.materializer.warehouses import Watched, opened


def _version(number: int) -> intents.Intent:
    """Versions of one model; each takes the alias "newest"."""
    return intents.version("m", "newest", create_model=True)


def _document(number: int) -> intents.Intent:
    """Changes of one document, each of the revision before it, and a document of its own."""
    return document_intents.put(
        document_intents.one("counter", body=str(number), expected=number - 1),
        document_intents.one(f"entry-{number}", parent="counter"),
    )


WHAT: Mapping[str, Callable[[int], intents.Intent]] = {"versions": _version, "documents": _document}


def main(path: Path, seed: int, make: Callable[[int], intents.Intent]) -> None:
    """Write intents, from the first without an ack on."""
    chance = random.Random(seed)
    fatal, is_after_fatal = chance.randrange(1, 25), chance.random() < 0.5

    def die(number: int, table: str, columns: Mapping[str, Column], is_after: bool) -> None:
        if number == fatal and is_after == is_after_fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    log = SqliteLog(path / "log.sqlite")
    policy = BatchPolicy(target_weight=chance.choice([1, 4, 20]))
    materializer = Materializer(log, Watched(opened(path), die), FolderStore(path / "objects"), policy=policy)
    threading.Thread(target=materializer.run, daemon=True).start()
    last = max(acked(path), default=0)
    with (path / LEDGER).open("a") as ledger:
        while True:
            last += 1
            record = make(last)
            record.request_id, record.ingest_time_millis = last.to_bytes(16, "big"), NOW
            log.append(CONTROL, b"default", record.SerializeToString()).result(timeout=30)
            ledger.write(f"{last}\n")
            ledger.flush()
            os.fsync(ledger.fileno())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), WHAT[sys.argv[3]])
