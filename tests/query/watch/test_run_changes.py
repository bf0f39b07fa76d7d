from __future__ import annotations

import random

from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_proto.v1 import run_pb2, watch_pb2
from fleetlog_query.watch import run_changes
from fleetlog_query.watch.run_changes import Held, Snapshot, pieces

HERE = {Partition(EVENTS, 0): 7}


def run(name: str, value: float = 0.0) -> run_pb2.Run:
    return run_pb2.Run(run_id=name, metrics=[run_pb2.MetricSummary(key="x", last=value)])


def snapshot(*runs: run_pb2.Run) -> Snapshot:
    return Snapshot.of(HERE, runs, 1)


def told(response: watch_pb2.WatchRunsResponse | None) -> tuple[list[str], list[str], list[str], list[str]]:
    assert response is not None
    entered, changed = ([one.run_id for one in runs] for runs in (response.entered, response.changed))
    return entered, list(response.left), changed, list(response.order)


def test_at_first_all_is_told_then_only_differences() -> None:
    held = Held()
    first = held.advance(snapshot(run("a"), run("b")))
    assert told(first) == (["a", "b"], [], [], ["a", "b"])
    assert first is not None
    assert first.snapshot
    assert first.position.offsets[0].next_offset == 7
    assert held.advance(snapshot(run("a"), run("b"))) is None
    second = held.advance(snapshot(run("c"), run("a", 1.0)))
    assert told(second) == (["c"], ["b"], ["a"], ["c", "a"])
    assert second is not None
    assert not second.snapshot
    assert told(held.advance(snapshot(run("a", 1.0), run("c")))) == ([], [], [], ["a", "c"])


def test_no_runs_are_told_once() -> None:
    held = Held()
    response = held.advance(snapshot())
    assert response is not None
    assert response.snapshot
    assert held.advance(snapshot()) is None


def test_who_comes_back_is_told_of_what_may_have_changed() -> None:
    held = Held({"a": None, "b": None, "c": None}, frozenset({"b"}), begun=True)
    response = held.advance(snapshot(run("a"), run("b"), run("d")))
    assert told(response) == (["d"], ["c"], ["b"], ["a", "b", "d"])
    assert response is not None
    assert not response.snapshot
    assert held.advance(snapshot(run("a"), run("b"), run("d"))) is None
    assert told(held.advance(snapshot(run("a", 2.0), run("b"), run("d")))) == ([], [], ["a"], [])
    same = Held({"a": None}, begun=True)
    assert same.advance(snapshot(run("a"))) is None


def test_differences_in_any_number_of_steps_lead_to_what_there_is() -> None:
    """Also when some are skipped, as for a client that is slow, and when they come in pieces."""
    rng = random.Random(4)
    mine: dict[str, run_pb2.Run] = {}
    held = Held()
    for _ in range(300):
        runs = [run(name, float(rng.randrange(3))) for name in rng.sample("abcdefgh", rng.randrange(9))]
        if rng.random() < 0.5:
            continue
        response = held.advance(snapshot(*runs))
        if response is not None:
            for piece in pieces(response):
                mine = {run_id: one for run_id, one in mine.items() if run_id not in piece.left}
                mine |= {one.run_id: one for one in (*piece.entered, *piece.changed)}
                order = list(piece.order) or list(mine)
            mine = {run_id: mine[run_id] for run_id in order}
        assert list(mine.values()) == runs


def test_what_is_too_large_goes_in_pieces(monkeypatch: object) -> None:
    import pytest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_changes, "RESPONSE_BYTES", 100)
        response = Held().advance(snapshot(*[run(f"{place:032}") for place in range(9)]))
        assert response is not None
        parts = list(pieces(response))
        assert len(parts) > 2
        assert [part.HasField("position") for part in parts] == [False] * (len(parts) - 1) + [True]
        assert [part.snapshot for part in parts] == [True] + [False] * (len(parts) - 1)
        assert [one for part in parts for one in part.entered] == list(response.entered)
        assert all(sum(one.ByteSize() for one in part.entered) <= 100 for part in parts)
