"""Bins of histograms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_proto.v1 import facets_pb2
from fleetlog_query.facets.bins import DEFAULT_BINS, MOST_BINS, bin_count, check_range, edges_of, scale_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.profiles import examples

LINEAR, LOG = facets_pb2.HISTOGRAM_SCALE_LINEAR, facets_pb2.HISTOGRAM_SCALE_LOG
AUTO = facets_pb2.HISTOGRAM_SCALE_UNSPECIFIED
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE, st.integers(1, MOST_BINS))
@settings(max_examples=examples(200))
def test_edges_ascend_from_the_lowest_to_the_highest(one: float, two: float, count: int) -> None:
    low, high = sorted((one, two))
    for scale in (LINEAR, *([LOG] if low > 0 else [])):
        edges = edges_of(low, high, count, scale)
        assert (edges[0], edges[-1]) == (low, high)
        assert 2 <= len(edges) <= count + 1
        assert low == high or all(left < right for left, right in itertools.pairwise(edges.tolist()))


def test_bins_have_one_width_or_one_ratio() -> None:
    assert np.allclose(np.diff(edges_of(-1.0, 3.0, 8, LINEAR)), 0.5)
    ratios = edges_of(1e-5, 1e3, 8, LOG)
    assert np.allclose(ratios[1:] / ratios[:-1], 10.0)


def test_the_scale_suits_the_range_unless_it_is_said() -> None:
    assert scale_of(AUTO, 1e-5, 1e-2) == LOG
    assert [scale_of(AUTO, *ends) for ends in ((1.0, 999.0), (0.0, 1e9), (-1.0, 1e9))] == [LINEAR] * 3
    assert (scale_of(LOG, 1.0, 2.0), scale_of(LINEAR, 1e-9, 1e9)) == (LOG, LINEAR)


def test_how_many_bins() -> None:
    assert [bin_count(asked) for asked in (0, 1, MOST_BINS, MOST_BINS + 1)] == [DEFAULT_BINS, 1, MOST_BINS, MOST_BINS]
    with pytest.raises(InvalidArgument, match="bins: -1 is below 0"):
        bin_count(-1)


@pytest.mark.parametrize(
    ("low", "high", "scale", "field"),
    [
        (math.nan, None, AUTO, "min"), (None, math.inf, AUTO, "max"), (2.0, 1.0, LINEAR, "max"),
        (0.0, None, LOG, "min"), (None, -1.0, LOG, "max"),
    ],
)  # fmt: skip
def test_a_range_that_can_not_be_is_told(low: float | None, high: float | None, scale: int, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_range(low, high, facets_pb2.HistogramScale.ValueType(scale))
    assert caught.value.reason == "RANGE_INVALID"
    assert [one.field for one in caught.value.violations] == [field]
