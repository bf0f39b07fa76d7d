"""Runs that name more distinct metrics, params or tags than a run may have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS
from fleetlog_core.warehouse.port import Coded, Column, Statement
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.fold.result import Folded
from fleetlog_ingest.materializer.fold.state import RunKeys, State
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_proto.v1 import event_pb2

from tests.ingest.materializer.builders import RUN, folded, frame, in_own_process, metrics, params, record, start
from tests.ingest.materializer.history import run_id, write
from tests.ingest.materializer.warehouses import Crash, Watched, drain, opened, rebuilt

KEY = ("default", RUN)
TWO = RunLimits(2, 2, 2)


def tags(sequence: int, *deleted: str, **texts: str) -> event_pb2.Event:
    event = event_pb2.Event(sequence=sequence)
    if deleted:
        event.tags_deleted.keys.extend(deleted)
    else:
        event.tags_set.tags.update(texts)
    return event


def texts(out: Folded, table: str, column: str) -> list[str]:
    found = out.tables[table][column] if table in out.tables else []
    return [found.texts[code] for code in found.codes] if isinstance(found, Coded) else [str(cell) for cell in found]


def near(metrics: set[str] | None = None, tags: set[str] | None = None) -> State:
    return State(keys={KEY: RunKeys(metrics or set(), tags or set())})


def test_columns_that_are_too_many_are_put_aside_and_the_others_of_the_event_stay() -> None:
    events = metrics(1, a=[(0, 1.0), (1, 2.0)], c=[(0, 1.0), (1, 1.0)], b=[(0, 1.0), (1, 1.0)], d=[(0, 0.0), (1, 0.0)])
    out = folded(near({"a"}), record(frame(events, metrics(2, a=[(2, 3.0)], d=[(2, 3.0)])), 0), limits=TWO)
    assert sorted(texts(out, "points", "key")) == ["a", "a", "a", "c", "c"]
    assert texts(out, "problems", "reason") == ["TOO_MANY_METRICS", "TOO_MANY_METRICS"]
    assert texts(out, "problems", "points") == ["4", "1"]
    message = texts(out, "problems", "message")[0]
    assert "'b' and 1 more" in message
    assert "METRICS_PER_RUN" in message
    assert (out.points, out.events) == (5, 2)
    assert out.changes.keys[KEY].metrics == {"a", "c"}


def test_an_event_of_nothing_but_new_metrics_is_a_problem_and_no_rows() -> None:
    out = folded(near({"a", "b"}), record(frame(metrics(1, c=[(0, 1.0)])), 0), limits=TWO)
    assert "points" not in out.tables
    assert texts(out, "writers", "ranges") == ["1-1"]
    assert texts(out, "problems", "points") == ["1"]


def test_params_and_tags_that_are_too_many_leave_the_first_ones() -> None:
    begun = record(frame(start(1, lr="1"), params(2, seed="1", extra="2", lr="1")), 0)
    out = folded(near(), begun, record(frame(tags(3, x="1"), tags(4, x="2", z="0", y="3")), 1), limits=TWO)
    found = dict(zip(texts(out, "attrs", "key"), texts(out, "attrs", "str"), strict=True))
    assert found == {"lr": "1", "seed": "1", "x": "2", "y": "3"}
    assert texts(out, "problems", "reason") == ["TOO_MANY_PARAMS", "TOO_MANY_TAGS"]
    assert "'extra'" in texts(out, "problems", "message")[0]


def test_a_deleted_tag_keeps_its_place_and_deleting_one_that_is_not_there_is_no_problem() -> None:
    out = folded(
        near(tags={"a", "b"}), record(frame(tags(1, "a"), tags(2, c="1"), tags(3, "d"), tags(4, a="2")), 0), limits=TWO
    )
    assert dict(zip(texts(out, "attrs", "key"), texts(out, "attrs", "str"), strict=True)) == {"a": "2"}
    assert texts(out, "problems", "reason") == ["TOO_MANY_TAGS"]


def test_the_keys_before_are_not_changed() -> None:
    before = near({"a"}, {"x"})
    folded(before, record(frame(metrics(1, b=[(0, 1.0)]), tags(2, y="1")), 0), limits=TWO)
    assert before.keys[KEY] == RunKeys({"a"}, {"x"})


def _told(path: Path) -> None:
    log, limits = MemoryLog({EVENTS: 2}), RunLimits(3, 3, 3)
    live = opened(path)
    for number in range(12):
        columns = {f"m{(number + place) % 6}": [(number, 1.0)] for place in range(2)}
        texts_ = {f"k{number % 5}": "1"}
        events = [metrics(2 * number + 2, **columns), params(2 * number + 3, **texts_)]
        if number == 0:
            events.insert(0, start(1))
        log.append(EVENTS, b"", frame(*events).SerializeToString())
        tagged = frame(tags(number + 1, **{f"t{number % 4}": str(number)}), run=run_id(7))
        log.append(EVENTS, b"", tagged.SerializeToString())
        if number % 3 == 0:
            # A new materializer, which knows no more than the warehouse tells.
            drain(log, live, path, BatchPolicy(target_weight=1, max_weight=1), limits)
    drain(log, live, path, limits=limits)
    kept = live.select(Statement("SELECT DISTINCT key FROM points ORDER BY key"))
    assert kept.texts("key") == ["m0", "m1", "m2"]
    attrs = live.select(Statement("SELECT kind, key, str FROM attrs FINAL WHERE kind < 3 ORDER BY kind, key"))
    assert attrs.texts("key") == ["k0", "k1", "k2", "t0", "t1", "t2"]
    assert attrs.texts("str")[3:] == ["8", "9", "10"]
    told = live.select(
        Statement("SELECT reason, count() AS n, sum(points) AS lost FROM problems FINAL GROUP BY reason")
    )
    lost = dict(zip(told.texts("reason"), told.array("lost").tolist(), strict=True))
    counted = dict(zip(told.texts("reason"), told.array("n").tolist(), strict=True))
    assert lost["TOO_MANY_METRICS"] + live.select(Statement("SELECT count() AS n FROM points")).array("n")[0] == 24
    assert (counted["TOO_MANY_TAGS"], lost["TOO_MANY_TAGS"]) == (3, 0)
    sums = replay.checksums(live)
    live.close()
    for place, policy in enumerate((BatchPolicy(), BatchPolicy(target_weight=12, max_weight=20))):
        assert replay.compare(sums, rebuilt(log, path / f"again{place}", policy, limits)).same


def test_what_is_put_aside_is_the_same_however_batches_form(tmp_path: Path) -> None:
    in_own_process(_told, tmp_path)


def _crash_everywhere(path: Path) -> None:
    log, limits = MemoryLog({EVENTS: 1}), RunLimits(1, 2, 2)
    write(log, 11, 40)
    live = opened(path)
    died = 0
    while True:

        def crash(number: int, table: str, columns: Mapping[str, Column], is_after: bool, at: int = died) -> None:
            if number == at % 7 and is_after == bool(at % 2):
                raise Crash

        try:
            drain(log, Watched(live, crash if died < 60 else None), path, BatchPolicy(target_weight=300), limits)
        except Crash:
            died += 1
            continue
        break
    assert died > 10
    assert "TOO_MANY_METRICS" in live.select(Statement("SELECT DISTINCT reason FROM problems")).texts("reason")
    sums = replay.checksums(live)
    live.close()
    report = replay.compare(sums, rebuilt(log, path / "again", limits=limits))
    assert report.same, report.differences


@pytest.mark.timeout(240)
def test_a_crash_at_any_insert_puts_nothing_else_aside(tmp_path: Path) -> None:
    in_own_process(_crash_everywhere, tmp_path)
