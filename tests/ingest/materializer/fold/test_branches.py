from __future__ import annotations

import math

import numpy as np
from fleetlog_core.ordered import unpack_high, unpack_low, unpack_point
from fleetlog_core.warehouse.port import Coded
from fleetlog_core.warehouse.schema import SUPERSEDED
from fleetlog_ingest.materializer.fold.branches import ALONE
from fleetlog_ingest.materializer.fold.result import Folded
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_proto.v1 import event_pb2

from tests.ingest.materializer.builders import NOW, RUN, folded, frame, metrics, record, start

BRANCH, OTHER = bytes([1]) * 16, bytes([2]) * 16
SOURCE_KEY, KEY, OTHER_KEY = ("default", RUN), ("default", BRANCH), ("default", OTHER)


def branched(sequence: int, *, rewinds: bool, source: bytes = RUN) -> event_pb2.Event:
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW)
    event.run_branched.source_run_id, event.run_branched.step, event.run_branched.rewinds = source, 7, rewinds
    event.run_branched.segments.add(run_id=source, step=7, next_offset=3)
    return event


def inherited(sequence: int, *series: event_pb2.InheritedSeries) -> event_pb2.Event:
    return event_pb2.Event(sequence=sequence, series_inherited=event_pb2.SeriesInherited(series=series))


def column(out: Folded, table: str, name: str) -> list[object]:
    found = out.tables[table][name]
    return [found.texts[code] for code in found.codes] if isinstance(found, Coded) else np.asarray(found).tolist()


def test_a_fork_has_segments_of_its_source_and_leaves_it_as_it_is() -> None:
    out = folded(State(), record(frame(start(1), branched(2, rewinds=False), run=BRANCH), 5))
    branch = out.changes.runs[KEY].branch
    assert (branch.source_run_id, branch.source_step, branch.number, branch.is_superseded) == (RUN, 7, 0, False)
    assert SOURCE_KEY not in out.changes.runs
    names = ("run_id", "source_run_id", "max_step", "next_offset", "off")
    assert [column(out, "branch_segments", name)[0] for name in names] == [BRANCH, RUN, 7, 3, 5]
    assert column(out, "runs", "deleted") == [0]


def test_a_rewind_takes_the_place_of_its_source() -> None:
    before = State().after(folded(State(), record(frame(start(1)), 0)).changes)
    out = folded(before, record(frame(start(1), branched(2, rewinds=True), run=BRANCH), 5))
    source, branch = out.changes.runs[SOURCE_KEY], out.changes.runs[KEY].branch
    assert (source.visibility, source.branch.superseded_by, source.ver) == (SUPERSEDED, BRANCH, 5)
    assert (branch.root_run_id, branch.number) == (RUN, 1)
    assert set(column(out, "run_touches", "run_id")) == {RUN, BRANCH}
    later = folded(
        before.after(out.changes), record(frame(start(1), branched(2, rewinds=True, source=BRANCH), run=OTHER), 6)
    )
    branch = later.changes.runs[OTHER_KEY].branch
    assert (branch.root_run_id, branch.source_run_id, branch.number) == (RUN, BRANCH, 2)


def test_of_two_rewinds_of_a_run_the_first_counts() -> None:
    before = State().after(folded(State(), record(frame(start(1)), 0)).changes)
    out = folded(
        before,
        record(frame(start(1), branched(2, rewinds=True), run=BRANCH), 5),
        record(frame(start(1), branched(2, rewinds=True), run=OTHER), 6),
    )
    assert out.changes.runs[SOURCE_KEY].branch.superseded_by == BRANCH
    assert out.changes.runs[OTHER_KEY].deleted
    assert column(out, "problems", "reason") == ["REWIND_CONFLICT"]


def test_a_rewind_of_a_run_that_is_not_there_is_hidden_and_told() -> None:
    out = folded(State(), record(frame(start(1), branched(2, rewinds=True), run=BRANCH), 5))
    assert out.changes.runs[KEY].deleted
    assert column(out, "problems", "reason") == ["REWIND_CONFLICT"]


def test_what_is_inherited_is_added_up_with_the_branchs_own_points() -> None:
    point = event_pb2.MetricPoint
    loss = event_pb2.InheritedSeries(
        key="loss", first=point(step=-5, time_millis=NOW, value=math.nan),
        last=point(step=7, time_millis=NOW, value=-0.0),
        min=-2.5, min_step=-1, max=4.0, max_step=3, points=9, nan_points=2, total=1.5, squares=30.0,
    )  # fmt: skip
    only_nan = event_pb2.InheritedSeries(
        key="nan", first=point(value=math.nan), last=point(value=math.nan), points=1, nan_points=1
    )
    events = start(1), branched(2, rewinds=False), inherited(3, loss, only_nan), metrics(4, loss=[(8, 1.0)])
    out = folded(State(), record(frame(*events, run=BRANCH), 5))
    assert column(out, "series", "key") == ["loss", "nan", "loss"]
    assert column(out, "series", "n") == [9, 1, 1]
    assert column(out, "series", "until") == [6, 6, 6]
    assert column(out, "series", "minv") == [-2.5, math.inf, 1.0]
    assert column(out, "series", "maxv") == [4.0, -math.inf, 1.0]
    first, last, low, high = (column(out, "series", name) for name in ("first", "last", "low", "high"))
    assert math.isnan(unpack_point(first[0])[2])  # type: ignore[arg-type]
    assert unpack_point(last[0]) == (7, NOW, -0.0)  # type: ignore[arg-type]
    assert (unpack_low(low[0]), unpack_high(high[0])) == ((-2.5, -1), (4.0, 3))  # type: ignore[arg-type]
    assert (low[1], high[1]) == (b"\xff" * 16, bytes(16))
    assert column(out, "attrs", "key") == ["loss", "nan", "loss"]
    assert out.points == 1


def test_a_batch_without_branches_has_no_columns_of_them() -> None:
    out = folded(State(), record(frame(start(1)), 0))
    assert "branch" not in out.tables["runs"]
    assert "branch" not in out.tables["run_history"]
    assert out.changes.runs[SOURCE_KEY].branch is ALONE
