"""Segments of runs: spans, sums of changes and totals, against one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from fleetlog_query.facets.segments import SLOTS, WHOLE, KeyCounts, Span, split, total
from hypothesis import given
from hypothesis import strategies as st

COUNTS = st.dictionaries(st.integers(0, 200), st.integers(1, 50), max_size=30)


@given(counts=COUNTS, size=st.integers(1, 60), first=st.integers(0, 5))
def test_spans_cover_everything_once(counts: dict[int, int], size: int, first: int) -> None:
    slots = sorted(slot for slot in counts if slot >= first)
    runs = np.array([counts[slot] for slot in slots], np.uint64)
    spans = split(Span(first, SLOTS), np.array(slots, np.uint64), runs, size)
    assert spans[0].first == first
    assert spans[-1].until == SLOTS
    assert all(one.until == two.first for one, two in pairwise(spans))
    for span in spans:
        held = [counts[slot] for slot in slots if span.first <= slot < span.until]
        # More than that only in the last slot of it: a slot is never cut.
        assert sum(held[:-1]) < 2 * size
    assert len(spans) <= 1 + runs.sum() // size


def test_ids_of_a_span_are_its_slots() -> None:
    assert (WHOLE.since_id, WHOLE.until_id) == (b"", b"")
    span = Span(3, 4)
    assert span.since_id == (3 * 1024).to_bytes(6, "big") + bytes(10)
    assert span.until_id == (4 * 1024).to_bytes(6, "big") + bytes(10)


@given(parts=st.lists(st.dictionaries(st.integers(0, 5), st.lists(st.floats(allow_nan=False), max_size=3)), max_size=5))
def test_totals_are_those_of_all_parts(parts: list[dict[int, list[float]]]) -> None:
    counted = [
        KeyCounts(
            np.array(list(part), np.intp), np.array([1 + len(numbers) for numbers in part.values()], np.uint64),
            np.array([len(numbers) for numbers in part.values()], np.uint64),
            np.array([min(numbers, default=np.inf) for numbers in part.values()]),
            np.array([max(numbers, default=-np.inf) for numbers in part.values()]),
        )
        for part in parts
    ]  # fmt: skip
    whole = total(counted)
    assert whole.keys.tolist() == sorted({key for part in parts for key in part})
    for place, key in enumerate(whole.keys.tolist()):
        numbers = [number for part in parts for number in part.get(key, [])]
        assert whole.runs[place] == sum(1 + len(part[key]) for part in parts if key in part)
        assert whole.numeric[place] == len(numbers)
        assert whole.lows[place] == min(numbers, default=np.inf)
        assert whole.highs[place] == max(numbers, default=-np.inf)
