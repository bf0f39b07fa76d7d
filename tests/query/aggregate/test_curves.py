"""Curves of groups, put together of the buckets of their runs."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from fleetlog_query.aggregate.curves import Curve, Rows, largest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.profiles import examples

GROUPS = 3
BUCKETS = st.dictionaries(st.integers(-5, 5), st.floats(-1e6, 1e6) | st.just(math.nan), max_size=6)


def put_together(runs: list[tuple[int, dict[int, float]]]) -> list[Curve]:
    rows = Rows()
    for group, buckets in runs:
        xs = np.array(sorted(buckets), np.int64)
        means = np.array([buckets[x] for x in xs.tolist()], np.float64)
        rows.add(group, xs, means, means - 1, means + 2)
    return rows.curves(GROUPS)


@given(st.lists(st.tuples(st.integers(0, GROUPS - 1), BUCKETS), max_size=12))
@settings(max_examples=examples(200))
def test_each_bucket_has_the_statistics_of_the_runs_that_have_a_number_there(
    runs: list[tuple[int, dict[int, float]]],
) -> None:
    curves = put_together(runs)
    assert len(curves) == GROUPS
    for group, curve in enumerate(curves):
        values: dict[int, list[float]] = {}
        for mine, buckets in runs:
            for x, value in buckets.items():
                if mine == group and not math.isnan(value):
                    values.setdefault(x, []).append(value)
        assert curve.xs.tolist() == sorted(values)
        for place, x in enumerate(curve.xs.tolist()):
            there = values[x]
            assert curve.counts[place] == len(there)
            assert curve.means[place] == pytest.approx(statistics.fmean(there), rel=1e-9, abs=1e-9)
            assert (curve.mins[place], curve.maxs[place]) == (min(there) - 1, max(there) + 2)
            if len(there) == 1:
                assert math.isnan(curve.stds[place])
            else:
                assert curve.stds[place] == pytest.approx(statistics.stdev(there), rel=1e-6, abs=1e-6)


def test_equal_values_have_their_value_as_mean_and_no_deviation() -> None:
    (curve, *_) = put_together([(0, {1: 0.1}) for _ in range(7)])
    assert (curve.means.tolist(), curve.stds.tolist()) == ([0.1], [0.0])


def test_the_largest_groups_are_numbered_first() -> None:
    labels = [("b",), ("a",), (None,), ("b",), ("c",), ("c",)]
    assert largest(labels, 3) == {("b",): 0, ("c",): 1, ("a",): 2}
    assert list(largest(labels, 10)) == [("b",), ("c",), ("a",), (None,)]
    assert largest([], 3) == {}
