"""SIGKILL the process that registers versions, or puts documents, again and again; then hold the tables against its
ledger."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from fleetlog_core.documents.snapshot import DocumentSnapshot, Wanted
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.warehouse.port import Statement
from fleetlog_ingest import replay

from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.victim import acked
from tests.ingest.materializer.warehouses import drain, opened, rebuilt

KILLS = 5
KILLS_OF_DOCUMENTS = 3


def _compare(path: Path) -> tuple[list[int], list[str], int]:
    log = SqliteLog(path / "log.sqlite")
    live = opened(path)
    drain(log, live, path)
    numbers = live.select(Statement("SELECT version FROM model_versions FINAL ORDER BY version"))
    results = live.select(Statement("SELECT result FROM outcomes FINAL ORDER BY off"))
    newest = Snapshot(live.select, "default").named(["m"])["m"].aliases["newest"]
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences
    log.close()
    return numbers.array("version").tolist(), results.texts("result"), newest


def _kill(path: Path, what: str, kills: int) -> list[int]:
    """What the ledger has after so many lives."""
    root = Path(__file__).parents[3]
    for seed in range(kills):
        victim = [sys.executable, "-m", "tests.ingest.materializer.registry_victim", str(path), str(seed), what]
        done = subprocess.run(victim, cwd=root, capture_output=True, timeout=120, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return acked(path)


def test_every_acked_version_has_its_number_once_after_many_kills(tmp_path: Path) -> None:
    ledger = _kill(tmp_path, "versions", KILLS)
    numbers, results, newest = in_own_process(_compare, tmp_path)
    assert len(ledger) >= KILLS
    assert numbers == list(range(1, len(numbers) + 1)), "a number is missing, or there twice"
    assert [int(result.partition("/")[2]) for result in results] == numbers
    # The last intent of each life may be in the log without an ack, and then is sent again under the same id.
    assert len(ledger) <= len(numbers) <= len(ledger) + KILLS
    assert newest == numbers[-1]


def _read_documents(path: Path) -> tuple[int, int, list[str]]:
    """Revision and body of the document that every change was of, and ids of the others."""
    log = SqliteLog(path / "log.sqlite")
    live = opened(path)
    drain(log, live, path)
    snapshot = DocumentSnapshot(live.select, "default", "entry")
    counter, *entries = snapshot.read(snapshot.search(Wanted(), None, 100_000))
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences
    log.close()
    return counter.revision, int(counter.body), [entry.document_id for entry in entries]


def test_every_acked_change_of_a_document_is_made_once_after_many_kills(tmp_path: Path) -> None:
    ledger = _kill(tmp_path, "documents", KILLS_OF_DOCUMENTS)
    revision, body, entries = in_own_process(_read_documents, tmp_path)
    assert revision == body == len(entries)
    assert set(ledger) <= set(range(1, revision + 1))
    assert revision <= len(ledger) + KILLS_OF_DOCUMENTS
    assert entries == [f"entry-{number}" for number in range(1, revision + 1)]
