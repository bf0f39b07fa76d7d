"""Gaps, and events that come again: the same ones are silent, other ones under the same sequences are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.ingest.materializer.builders import NOW, RUN, folded, frame, in_own_process, metrics, params, record, start
from tests.ingest.materializer.fold.test_fold import texts
from tests.ingest.materializer.warehouses import drain, opened, rebuilt


def tags(sequence: int, **given: str) -> event_pb2.Event:
    return event_pb2.Event(sequence=sequence, tags_set=event_pb2.TagsSet(tags=given))


def later(*events: event_pb2.Event) -> frame_pb2.Frame:
    """The frame of a process that does the same again at another time."""
    made = []
    for event in events:
        again = event_pb2.Event()
        again.CopyFrom(event)
        again.observe_time_millis += 86_400_000
        made.append(again)
    sent = frame(*made)
    sent.ingest_time_millis = NOW + 86_400_000
    return sent


def problems(warehouse: Warehouse) -> list[tuple[str, int, int]]:
    """(reason, sequence, points) in the order of the log."""
    rows = warehouse.select(Statement("SELECT reason, sequence, points FROM problems FINAL ORDER BY off, place"))
    numbers = zip(rows.array("sequence").tolist(), rows.array("points").tolist(), strict=True)
    return [(reason, *of) for reason, of in zip(rows.texts("reason"), numbers, strict=True)]


def test_a_gap_is_told_once_and_may_be_filled_later() -> None:
    first = folded(State(), record(frame(start(1)), 0), record(frame(metrics(9, x=[(0, 1.0)])), 1))
    assert texts(first, "problems", "reason") == ["SEQUENCE_GAP"]
    assert (first.gaps, texts(first, "problems", "sequence")) == (7, ["9"])
    assert "sequences 2 to 8" in texts(first, "problems", "message")[0]
    after = State().after(first.changes)
    assert "problems" not in folded(after, record(frame(metrics(10, x=[(1, 1.0)])), 2)).tables
    filled = folded(after, *[record(frame(metrics(n, x=[(n, 1.0)])), n) for n in range(2, 9)])
    assert "problems" not in filled.tables
    assert texts(filled, "writers", "ranges") == ["1-9"]


FIRST = (
    start(1, lr="0.1"),
    metrics(2, loss=[(step, float(step)) for step in range(100)]),
    tags(3, note="one"),
    params(4, seed="7"),
    metrics(5, loss=[(100, 1.5)], acc=[(100, 0.5)]),
    tags(6, note="two"),
)
SAME_IN_OTHER_EVENTS = (
    start(1, lr="0.1"),
    metrics(2, loss=[(step, float(step)) for step in range(60)]),
    metrics(3, loss=[(step, float(step)) for step in range(60, 100)]),
    params(4, seed="7"),
    tags(5, note="two"),
)
OTHER = (
    start(1, lr="0.1"),
    metrics(2, loss=[(step, -1.0) for step in range(100)]),
    tags(3, note="three"),
    params(4, momentum="9"),
    metrics(5, loss=[(100, 1.5)], acc=[(100, 0.5)]),
)


def _told(path: Path) -> None:
    log, warehouse = MemoryLog({EVENTS: 1}), opened(path)

    def write(*frames: Sequence[event_pb2.Event] | frame_pb2.Frame) -> None:
        for one in frames:
            sent = one if isinstance(one, frame_pb2.Frame) else frame(*one)
            log.append(EVENTS, RUN, sent.SerializeToString()).result()
        drain(log, warehouse, path)

    write(FIRST)
    # Sent again, all of it and some of it; run again, later; and cut in other places.
    write(FIRST, FIRST[2:4], [FIRST[1]], later(*FIRST), SAME_IN_OTHER_EVENTS)
    assert problems(warehouse) == []
    # By materializers that begin anew each time, as after a restart.
    write(OTHER)
    assert problems(warehouse) == [("SEQUENCE_REUSED", 2, 100)]
    # And within one batch, where nothing of it is in the warehouse yet.
    write([metrics(7, v=[(0, 1.0), (1, 2.0)])], [metrics(7, v=[(0, 1.0), (1, 3.0)])], [metrics(7, v=[(1, 2.0)])])
    assert problems(warehouse)[1:] == [("SEQUENCE_REUSED", 7, 1)]
    # What was put aside when it came first is not told of again.
    conflict = [params(8, lr="0.2")]
    write(conflict)
    write(conflict, conflict)
    assert problems(warehouse)[2:] == [("PARAM_CONFLICT", 8, 0)]
    loss = warehouse.select(Statement("SELECT count() AS n, sum(value) AS s FROM points WHERE key = 'loss'"))
    assert (int(loss.array("n")[0]), float(loss.array("s")[0])) == (101, sum(range(100)) + 1.5)
    live = replay.checksums(warehouse)
    warehouse.close()
    # In one batch, where there were many.
    assert replay.compare(live, rebuilt(log, path / "again")).differences == ()


def test_other_events_under_used_sequences_are_told_and_the_same_ones_are_not(tmp_path: Path) -> None:
    in_own_process(_told, tmp_path)
