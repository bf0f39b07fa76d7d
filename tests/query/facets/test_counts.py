"""Segments hold on while their runs change, and what is counted together is every run once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fleetlog_query.facets import counts
from fleetlog_query.facets.counts import Counts
from fleetlog_query.facets.segments import SLOTS, WHOLE, KeyCounts, Span, slot_of
from hypothesis import given
from hypothesis import strategies as st

CUTS = [Span(0, 4), Span(4, 5), Span(5, 9), Span(9, SLOTS)]


def run_at(slot: int, number: int = 0) -> bytes:
    return (slot * 1_024).to_bytes(6, "big") + number.to_bytes(10, "big")


def of(values: Sequence[int]) -> KeyCounts:
    """What these runs have of one key."""
    if not values:
        return KeyCounts(np.empty(0, np.intp), np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0), np.empty(0))
    size = np.array([len(values)], np.uint64)
    low, high = np.array([float(min(values))]), np.array([float(max(values))])
    return KeyCounts(np.array([0]), size, size, low, high)


def count(known: Counts, values: dict[bytes, int]) -> set[Span]:
    """All that has to be, of the runs there are. Which segments that was."""
    if known.segments[0].span == WHOLE:
        known.cut(WHOLE, CUTS)
    spans = {segment.span for segment in known.segments if segment.stale}
    for span in spans:
        apart = known.hot_in(span)
        inside = [run_id for run_id in values if span.first <= slot_of(run_id) < span.until and run_id not in apart]
        known.count(span, of([values[run_id] for run_id in inside]))
    if known.hot_counts is None:
        known.hot_counts = of([values[run_id] for run_id in known.hot_runs])
    return spans


RUNS = [run_at(slot, number) for slot in range(12) for number in range(3)]


@given(
    looks=st.lists(st.none() | st.dictionaries(st.sampled_from(RUNS), st.integers(-9, 9), min_size=1), max_size=12),
    apart=st.integers(1, 8), together=st.integers(0, 4),
)  # fmt: skip
def test_the_total_is_that_of_all_runs(looks: list[dict[bytes, int] | None], apart: int, together: int) -> None:
    before = counts.APART, counts.TOGETHER
    counts.APART, counts.TOGETHER = apart, together
    try:
        known, values = Counts(), dict[bytes, int]()
        for look in looks:
            values.update(look or {})
            known.change(None if look is None else look.keys())
            count(known, values)
            assert len(known.hot_runs) <= apart
            found, wanted = known.total(), of(list(values.values()))
            assert [column.tolist() for column in (found.keys, found.runs, found.lows, found.highs)] == [
                column.tolist() for column in (wanted.keys, wanted.runs, wanted.lows, wanted.highs)
            ]
    finally:
        counts.APART, counts.TOGETHER = before


def test_runs_that_change_again_and_again_cost_their_segments_one_count() -> None:
    known, values = Counts(), dict.fromkeys(RUNS, 1)
    count(known, values)
    some = {run_at(4), run_at(6)}
    known.change(some)
    assert count(known, values) == {CUTS[1], CUTS[2]}
    for value in range(5):
        values.update(dict.fromkeys(some, value))
        known.change(some)
        assert count(known, values) == set()
    assert list(known.hot_in(CUTS[1])) == [run_at(4)]


def test_many_of_one_segment_are_counted_with_it() -> None:
    known, values = Counts(), {run_at(7, number): 1 for number in range(counts.TOGETHER + 1)}
    count(known, {})
    known.change(values.keys())
    assert count(known, values) == {CUTS[2]}
    assert not known.hot_runs


def test_those_that_rest_are_counted_with_the_others_again() -> None:
    known, values = Counts(), {run_at(slot, 1): 1 for slot in range(1, counts.APART + 9)}
    known.cut(WHOLE, [Span(0, 1), *(Span(slot, slot + 1) for slot in range(1, 500)), Span(500, SLOTS)])
    count(known, values)
    run_ids = list(values)
    for run_id in run_ids[: counts.APART]:
        known.change({run_id})
    known.change({run_ids[0]})
    count(known, values)
    known.change({run_ids[-1]})
    assert len(known.hot_runs) == counts.APART // 2
    assert {run_ids[0], run_ids[-1]} <= known.hot_runs.keys(), "those that changed last stay apart"
    assert run_ids[1] not in known.hot_runs
    count(known, values)
    assert int(known.total().runs[0]) == len(values)
