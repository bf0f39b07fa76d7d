"""Bins of a histogram: where they begin and end. Pure."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from fleetlog_core.errors import InvalidArgument
from fleetlog_proto.v1 import facets_pb2

DEFAULT_BINS = 20
MOST_BINS = 100
LOG_RATIO = 1_000.0
"""The highest number over the lowest from which on bins are of the same ratio, unless a request says otherwise."""
Scale: TypeAlias = facets_pb2.HistogramScale.ValueType
Real = npt.NDArray[np.float64]


def bin_count(asked: int) -> int:
    """0 = the default, more than the most = the most. OVER_LIMIT."""
    if asked < 0:
        raise InvalidArgument.of_field("OVER_LIMIT", "bins", f"{asked} is below 0; leave it 0 for {DEFAULT_BINS}")
    return min(asked or DEFAULT_BINS, MOST_BINS)


def check_range(low: float | None, high: float | None, scale: Scale) -> None:
    """RANGE_INVALID for the ends of a range as a request gives them; None = it does not say."""
    for field, end in (("min", low), ("max", high)):
        if end is not None and not math.isfinite(end):
            raise InvalidArgument.of_field("RANGE_INVALID", field, f"{end} is no end of a range; give a finite number")
        if end is not None and end <= 0 and scale == facets_pb2.HISTOGRAM_SCALE_LOG:
            what = f"{end} is not above zero, where bins of the same ratio are; ask for HISTOGRAM_SCALE_LINEAR"
            raise InvalidArgument.of_field("RANGE_INVALID", field, what)
    if low is not None and high is not None and low > high:
        raise InvalidArgument.of_field("RANGE_INVALID", "max", f"{high} is below min, {low}")


def scale_of(asked: Scale, low: float, high: float) -> Scale:
    """The scale that is asked for, or the one that suits the range."""
    if asked in (facets_pb2.HISTOGRAM_SCALE_LINEAR, facets_pb2.HISTOGRAM_SCALE_LOG):
        return asked
    return facets_pb2.HISTOGRAM_SCALE_LOG if 0 < low <= high / LOG_RATIO else facets_pb2.HISTOGRAM_SCALE_LINEAR


def edges_of(low: float, high: float, count: int, scale: Scale) -> Real:
    """Edges of bins from `low` to `high`, ascending: one more than bins, fewer where numbers lie too close for so many.

    A range of one number has it twice.
    """
    if low == high:
        return np.array([low, high])
    places = np.linspace(0.0, 1.0, count + 1)
    if scale == facets_pb2.HISTOGRAM_SCALE_LOG:
        edges = np.exp(math.log(low) * (1 - places) + math.log(high) * places)
    else:
        # Not by the width, which overflows.
        edges = low * (1 - places) + high * places
    edges[0], edges[-1] = low, high
    return np.unique(np.clip(edges, low, high))
