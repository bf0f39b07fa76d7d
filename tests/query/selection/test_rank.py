"""Orders of candidates, against brute force."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from fleetlog_query.selection.rank import Scale, lexicographic, pareto, weighted
from hypothesis import given
from hypothesis import strategies as st

COST = st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, -3.0, math.inf, -math.inf]) | st.floats(-5, 5)
LIMIT = st.integers(1, 30)


def rows(objectives: int) -> st.SearchStrategy[list[list[float]]]:
    return st.lists(st.lists(COST, min_size=objectives, max_size=objectives), min_size=1, max_size=25)


COSTS = st.integers(1, 4).flatmap(rows)


def ties(count: int) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Some are equal, then every one is different."""
    return [np.arange(count, dtype=np.int64)[::-1] // 2, np.arange(count, dtype=np.int64)]


def key(costs: list[list[float]], place: int) -> tuple[list[float], int, int]:
    return costs[place], int(ties(len(costs))[0][place]), place


@given(costs=COSTS, limit=LIMIT)
def test_the_first_objective_decides_then_the_next_then_ties(costs: list[list[float]], limit: int) -> None:
    found = lexicographic(np.array(costs), ties(len(costs)), limit)
    assert found.places.tolist() == sorted(range(len(costs)), key=lambda place: key(costs, place))[:limit]


def dominates(one: list[float], other: list[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def brute_fronts(costs: list[list[float]]) -> dict[int, int]:
    """Front by front: those that nobody who is left beats."""
    fronts: dict[int, int] = {}
    left, front = set(range(len(costs))), 1
    while left:
        best = {one for one in left if not any(dominates(costs[other], costs[one]) for other in left)}
        fronts |= dict.fromkeys(best, front)
        left -= best
        front += 1
    return fronts


@given(costs=COSTS, limit=LIMIT)
def test_fronts_are_what_nobody_beats(costs: list[list[float]], limit: int) -> None:
    expected = brute_fronts(costs)
    found = pareto(np.array(costs), ties(len(costs)), limit)
    order = sorted(range(len(costs)), key=lambda place: (expected[place], key(costs, place)))
    assert found.places.tolist() == order[:limit]
    assert found.fronts == [expected[place] for place in order[:limit]]


@given(costs=COSTS, limit=LIMIT, data=st.data())
def test_scores_are_weighted_means_of_scaled_values(costs: list[list[float]], limit: int, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=len(costs[0]), max_size=len(costs[0])))
    scale = Scale.of(np.array(costs), weights)

    def score(row: list[float]) -> float:
        total = 0.0
        for objective, value in enumerate(row):
            finite = [other[objective] for other in costs if math.isfinite(other[objective])]
            low, high = min(finite, default=0.0), max(finite, default=0.0)
            cut = min(max(value, low), high) if high > low else high + (value > high) - (value < low)
            width = high - low if high > low else 1.0
            total += weights[objective] * ((cut - low) / width if math.isfinite(value) else float(value > 0))
        return total / sum(weights)

    found = weighted(np.array(costs), scale, ties(len(costs)), limit)
    assert found.scores == pytest.approx([score(costs[place]) for place in found.places], abs=1e-12)
    assert all(0 <= one <= 1 + 1e-12 for one in found.scores or ())
    assert all(one <= two for one, two in pairwise(found.scores or ()))
    scores = scale.scores(np.array(costs)).tolist()
    expected = sorted(range(len(costs)), key=lambda place: (scores[place], key(costs, place)[1:]))
    assert found.places.tolist() == expected[:limit]


def test_many_candidates_on_one_front() -> None:
    rng = np.random.default_rng(3)
    first = rng.random(20_000)
    costs = np.stack([first, -first], axis=1)
    found = pareto(costs, [np.arange(20_000)], 1_000)
    assert found.places.tolist() == np.argsort(first)[:1_000].tolist()
    assert set(found.fronts or ()) == {1}
