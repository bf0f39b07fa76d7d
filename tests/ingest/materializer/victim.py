"""A process that writes, materializes, and is killed: `python -m tests.ingest.materializer.victim FOLDER SEED`.

Sequences that became durable are noted in a ledger of its own, fsynced, one a line. An even seed dies at some insert,
an odd one lives until it is killed from outside.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from fleetlog_core.log.port import EVENTS
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Column
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.ingest.materializer.builders import NOW, RUN, frame, metrics
from tests.ingest.materializer.warehouses import Watched, opened

LEDGER = "ledger"
MODEL = bytes(range(48, 64))
"""A logged model that has a tag for every five sequences."""


def acked(path: Path) -> list[int]:
    """Sequences that were durable, in order. A last line that was cut is not counted."""
    text = (path / LEDGER).read_text() if (path / LEDGER).exists() else ""
    return [int(line) for line in text.split("\n")[:-1]]


def main(path: Path, seed: int) -> None:
    """Write frames of five events, from the first sequence without an ack on."""
    chance = random.Random(seed)
    fatal, is_after_fatal = chance.randrange(3, 60), chance.random() < 0.5

    def die(number: int, table: str, columns: Mapping[str, Column], is_after: bool) -> None:
        if seed % 2 == 0 and number == fatal and is_after == is_after_fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    log = SqliteLog(path / "log.sqlite")
    warehouse = Watched(opened(path), die)
    policy = BatchPolicy(target_weight=chance.choice([10, 60, 400]))
    materializer = Materializer(log, warehouse, FolderStore(path / "objects"), policy=policy)
    threading.Thread(target=materializer.run, daemon=True).start()
    last = max(acked(path), default=0)
    with (path / LEDGER).open("a") as ledger:
        while True:
            sequences = range(last + 1, last + 6)
            events = [metrics(sequence, loss=[(sequence, float(sequence))]) for sequence in sequences]
            log.append(EVENTS, RUN, frame(*events).SerializeToString()).result(timeout=30)
            log.append(EVENTS, MODEL, _tagged(last + 5).SerializeToString()).result(timeout=30)
            ledger.write("".join(f"{sequence}\n" for sequence in sequences))
            ledger.flush()
            os.fsync(ledger.fileno())
            last += 5


def _tagged(sequence: int) -> frame_pb2.Frame:
    """The frame of a logged model's tag, by a writer of its own."""
    event = event_pb2.Event(sequence=1, observe_time_millis=NOW)
    event.logged_model_updated.tags[str(sequence)] = str(sequence)
    found = frame(event, run=MODEL, writer=sequence.to_bytes(16, "big"))
    found.subject = frame_pb2.SUBJECT_MODEL
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
