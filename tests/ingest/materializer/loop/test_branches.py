"""Branches wherever the materializer dies: the tables are those of the log, once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS
from fleetlog_core.warehouse.port import Column, Statement
from fleetlog_core.warehouse.schema import SUPERSEDED
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_proto.v1 import event_pb2

from tests.ingest.materializer.builders import NOW, frame, in_own_process, metrics, start
from tests.ingest.materializer.warehouses import Crash, Watched, drain, opened, rebuilt

ROOT, SECOND, THIRD, LOSER = (bytes([place]) * 16 for place in range(1, 5))
GATEWAY, TRAINER, LATE = (bytes([place]) * 16 for place in range(5, 8))
ONE_BY_ONE = BatchPolicy(target_weight=1, max_weight=1)


def branched(source: bytes) -> tuple[event_pb2.Event, ...]:
    made = event_pb2.RunBranched(source_run_id=source, step=1, rewinds=True)
    made.segments.add(run_id=source, step=1, next_offset=1)
    point = event_pb2.MetricPoint(step=1, time_millis=NOW, value=2.0)
    loss = event_pb2.InheritedSeries(
        key="loss", first=point, last=point, min=2.0, max=2.0, min_step=1, max_step=1, points=1, total=2.0, squares=4.0
    )
    return (
        start(1),
        event_pb2.Event(sequence=2, run_branched=made),
        event_pb2.Event(sequence=3, series_inherited=event_pb2.SeriesInherited(series=[loss])),
    )


def tell(log: MemoryLog, namespace: str) -> None:
    """A run that is rewound twice, and once too often; its first writer goes on, and so does the last branch's."""
    for run, writer, events in (
        (ROOT, TRAINER, (start(1), metrics(2, loss=[(1, 2.0), (2, 3.0)]))),
        (SECOND, GATEWAY, branched(ROOT)),
        (THIRD, GATEWAY, branched(SECOND)),
        (LOSER, GATEWAY, branched(ROOT)),
        (ROOT, TRAINER, (metrics(3, loss=[(3, 9.0)]),)),
        (THIRD, GATEWAY, branched(SECOND)),
        (THIRD, LATE, (start(1), metrics(2, loss=[(2, 1.0)]))),
    ):
        told = frame(*events, run=run, writer=writer, namespace=namespace)
        log.append(EVENTS, b"", told.SerializeToString()).result(timeout=60)


def _crashes(path: Path) -> None:
    log, live, tried = MemoryLog(), opened(path), 0
    # All of it in one batch, and record by record: before and after every other insert, or now and then.
    for policy, step, moments in ((None, 2, (False, True)), (ONE_BY_ONE, 29, (True,))):
        for after in moments:
            inserts, at = 1_000, 0
            while at < inserts:
                tell(log, f"{policy is None}-{after}-{at}".lower())

                def die(
                    number: int, table: str, columns: Mapping[str, Column], is_after: bool, at: int = at,
                    after: bool = after,
                ) -> None:  # fmt: skip
                    if number == at and is_after == after:
                        raise Crash

                watched = Watched(live, die)
                try:
                    drain(log, watched, path, policy)
                    inserts = watched.inserts
                except Crash:
                    tried += 1
                drain(log, live, path, policy)
                at += step
    assert tried > 12
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


def test_a_crash_at_any_insert_of_a_rewind_loses_and_doubles_nothing(tmp_path: Path) -> None:
    in_own_process(_crashes, tmp_path)


def _rows(path: Path) -> None:
    log, live = MemoryLog(), opened(path)
    tell(log, "default")
    drain(log, live, path)
    columns = "deleted, branch, superseded_by, root_run_id"
    rows = live.select(Statement(f"SELECT {columns} FROM runs FINAL ORDER BY run_id"))
    assert rows.array("deleted").tolist() == [SUPERSEDED, SUPERSEDED, 0, 1]
    assert rows.array("branch").tolist() == [0, 1, 2, 0]
    assert [one.tobytes() for one in rows.array("superseded_by")] == [SECOND, THIRD, bytes(16), bytes(16)]
    assert [one.tobytes() for one in rows.array("root_run_id")] == [bytes(16), ROOT, ROOT, bytes(16)]
    series = live.select(Statement("SELECT n, total, maxv FROM run_series FINAL ORDER BY run_id"))
    assert series.array("n").tolist() == [3, 1, 2, 1]
    assert series.array("maxv").tolist() == [9.0, 2.0, 2.0, 2.0]
    assert live.select(Statement("SELECT reason FROM problems FINAL")).texts("reason") == ["REWIND_CONFLICT"]
    live.close()


def test_two_rewinds_in_a_row_are_two_branches_and_a_third_of_the_first_run_is_told(tmp_path: Path) -> None:
    in_own_process(_rows, tmp_path)
