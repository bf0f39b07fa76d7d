"""The object store is away: events flow, artifacts wait, and each shows once when it is back."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import DEAD_LETTERS, EVENTS, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer
from fleetlog_proto.v1 import event_pb2
from fleetlog_query.runs.documents import Documents
from fleetlog_query.sql.branches import BranchedNamespaces

from tests.ingest.materializer.builders import frame, in_own_process, metrics, start
from tests.ingest.materializer.history import run_id
from tests.ingest.materializer.warehouses import Crash, Watched, opened, rebuilt
from tests.waiting import reached

FRAMES = 300
ONE_BY_ONE = BatchPolicy(target_weight=1, max_weight=1)


def logged(sequence: int, number: int, *, uploaded: bool = False, path: str = "") -> event_pb2.Event:
    content = f"content {number}".encode()
    digest = hashlib.sha256(content).digest()
    event = event_pb2.Event(sequence=sequence)
    event.artifact_logged.path = path or f"file-{number}"
    event.artifact_logged.size_bytes = len(content)
    event.artifact_logged.sha256 = digest
    event.artifact_logged.content = b"" if uploaded else content
    return event


def append(log: MemoryLog, number: int, *events: event_pb2.Event) -> None:
    log.append(EVENTS, b"", frame(*events, run=run_id(number)).SerializeToString()).result()


@contextmanager
def folding(log: MemoryLog, warehouse: Warehouse, objects: FolderStore) -> Iterator[Materializer]:
    materializer = Materializer(log, warehouse, objects)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            materializer.run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield materializer
    finally:
        materializer.stop()
        thread.join()
        assert failed == []


def is_applied(log: MemoryLog, warehouse: Warehouse) -> bool:
    return replay.applied(log, warehouse)[Partition(EVENTS, 0)] == log.next_offset(Partition(EVENTS, 0))


def shown(warehouse: Warehouse) -> list[str]:
    return warehouse.select(Statement("SELECT path FROM artifacts FINAL ORDER BY path")).texts("path")


def pending(warehouse: Warehouse) -> int:
    return int(
        warehouse.select(Statement("SELECT countIf(stored = 0) AS n FROM pending_artifacts FINAL")).array("n")[0]
    )


def _away(path: Path) -> None:
    log, live = MemoryLog(), opened(path)
    objects = FolderStore(path / "objects")
    (path / "objects").rename(path / "away")
    begun = time.monotonic()
    for number in range(FRAMES):
        append(log, number, start(1), logged(2, number), metrics(3, x=[(0, 1.0)]))
    append(log, 0, logged(4, 7_000, path="file-0"), logged(5, 8_000, uploaded=True), metrics(6, y=[(0, 1.0)]))
    with folding(log, live, objects) as materializer:
        reached(lambda: is_applied(log, live))
        assert time.monotonic() - begun < 60
        assert materializer.degraded().startswith("artifacts wait for their store: the folder can't be written")
        assert materializer.outage() == ""
    run = Documents(live, BranchedNamespaces(live).tables).problems("default", run_id(7))
    assert [(problem.reason, problem.sequence) for problem in run] == [("ARTIFACT_PENDING", 2)]
    assert run[0].message.startswith("path: 'file-7' waits for the artifact store: ")
    # Nothing of it was poison, and another process goes on with what is pending.
    assert not log.read(Partition(DEAD_LETTERS, 0), 0, max_bytes=1)
    assert (shown(live), pending(live)) == ([], FRAMES + 2)
    with folding(log, live, objects):
        (path / "away").rename(path / "objects")
        reached(lambda: pending(live) == 0)
    assert shown(live) == sorted(f"file-{number}" for number in range(FRAMES))
    # Of one path the artifact that was logged last shows, whichever was stored first.
    last = live.select(Statement("SELECT sha256 FROM artifacts FINAL WHERE path = 'file-0'")).texts("sha256")
    assert last == [hashlib.sha256(b"content 7000").hexdigest()]
    problems = live.select(Statement("SELECT reason FROM problems FINAL"))
    assert problems.texts("reason") == ["ARTIFACT_MISSING"]
    found = replay.checksums(live)
    live.close()
    (path / "again").mkdir()
    (path / "objects").rename(path / "again" / "objects")
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


def test_events_flow_while_the_store_is_away_and_artifacts_show_once_when_it_is_back(tmp_path: Path) -> None:
    in_own_process(_away, tmp_path)


def _crashes(path: Path) -> None:
    log, live = MemoryLog(), opened(path)
    objects, stored = FolderStore(path / "objects"), path / "objects"
    for at in range(10):
        append(log, at, start(1), logged(2, at), logged(3, 100 + at), metrics(4, x=[(0, 1.0)]))
        # Away before the crash and there after it, or the other way around.
        stored = stored.rename(path / "away") if at % 2 else stored

        def die(number: int, table: str, columns: object, is_after: bool, at: int = at) -> None:
            if number == at:
                raise Crash

        materializer = Materializer(log, Watched(live, die), objects)
        try:
            threading.Timer(5.0, materializer.stop).start()
            materializer.run()
        except Crash:
            pass
        stored = stored.rename(path / ("objects" if at % 2 else "away"))
        with folding(log, live, objects):
            reached(lambda: is_applied(log, live))
        stored = stored.rename(path / "objects")
    with folding(log, live, objects):
        reached(lambda: pending(live) == 0)
    assert shown(live) == sorted(f"file-{number + more}" for number in range(10) for more in (0, 100))
    found = replay.checksums(live)
    live.close()
    (path / "again").mkdir()
    stored.rename(path / "again" / "objects")
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


def test_a_store_that_comes_and_goes_around_a_crash_loses_no_artifact(tmp_path: Path) -> None:
    in_own_process(_crashes, tmp_path)
