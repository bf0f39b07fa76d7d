"""What is known of a series without reading its points: rows of `series`, `attrs` and `rollup`.

Every result is the same in whatever order and in whatever batches the points come: extremes are over total orders, the
rest are sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.ordered import order_steps, order_values, pack128, pack192
from fleetlog_core.warehouse.port import Coded
from fleetlog_core.warehouse.schema import BUCKET_BITS

from fleetlog_ingest.materializer.fold.metric_attrs import metric_attrs
from fleetlog_ingest.materializer.fold.points import Points
from fleetlog_ingest.materializer.fold.tables import Columns

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def summarize(points: Points) -> tuple[Columns, Columns, Columns]:
    """Rows of `series`, of `attrs` (kind 3) and of `rollup`, in this order."""
    with np.errstate(invalid="ignore", over="ignore"):
        return _summarize(points)


def _summarize(points: Points) -> tuple[Columns, Columns, Columns]:
    starts, values = points.starts, points.values
    owner = np.repeat(np.arange(len(starts), dtype=np.int64), points.counts)
    nan = np.isnan(values)
    has_nan = bool(nan.any())
    aggregates = _aggregates(values, nan if has_nan else None, starts, points.counts)
    last = _extreme_point(points, owner, highest=True)
    first = _extreme_point(points, owner, highest=False)
    ordered_first, ordered_last = _pack_points(points, first), _pack_points(points, last)
    low, high = _extreme_values(points, owner, aggregates["minv"], aggregates["maxv"])
    owners: Columns = {
        "namespace": points.namespaces,
        "experiment": points.experiments,
        "key": points.keys,
        "run_id": points.run_ids,
    }
    series: Columns = {
        **owners,
        **aggregates,
        "first": ordered_first,
        "last": ordered_last,
        "low": low,
        "high": high,
        "until": np.maximum.reduceat(points.offsets, starts).astype(np.uint64) + np.uint64(1),
    }
    attrs = metric_attrs(owners, values[last], ordered_last)
    return series, attrs, _rollup(points, owner, owners, nan if has_nan else None)


def _aggregates(values: F64, nan: npt.NDArray[np.bool_] | None, starts: I64, counts: I64) -> dict[str, Any]:
    """The sums and extremes of pieces of `values`. `nan` is None when there is none."""
    if nan is None:
        nans = np.zeros(len(starts), dtype=np.uint64)
        lows = highs = numbers = values
    else:
        nans = np.add.reduceat(nan, starts, dtype=np.uint64)
        lows = np.where(nan, np.inf, values)
        highs = np.where(nan, -np.inf, values)
        numbers = np.where(nan, 0.0, values)
    return {
        # + 0.0 makes one zero of two, which would compare equal and hide the order in which they came.
        "minv": np.minimum.reduceat(lows, starts) + 0.0,
        "maxv": np.maximum.reduceat(highs, starts) + 0.0,
        "n": counts.astype(np.uint64),
        "nans": nans,
        "total": np.add.reduceat(numbers, starts),
        "squares": np.add.reduceat(numbers * numbers, starts),
    }


def _narrow(places: I64, owner: I64, keys: npt.NDArray[Any], highest: bool) -> I64:
    """Candidates at `places` (in order of owner) whose key is extreme for their owner."""
    owners = owner[places]
    at = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), owners[1:] != owners[:-1])))
    extreme = (np.maximum if highest else np.minimum).reduceat(keys, at)
    kept: I64 = places[keys == np.repeat(extreme, np.diff(at, append=len(places)))]
    return kept


def _one_each(places: I64, owner: I64) -> I64:
    owners = owner[places]
    kept: I64 = places[np.concatenate((np.ones(1, np.bool_), owners[1:] != owners[:-1]))]
    return kept


def _extreme_point(points: Points, owner: I64, highest: bool) -> I64:
    """For each series the place of its highest or lowest (step, time, value)."""
    reduce = np.maximum if highest else np.minimum
    extreme = reduce.reduceat(points.steps, points.starts)
    places = np.flatnonzero(points.steps == np.repeat(extreme, points.counts))
    if len(places) > len(points.starts):
        places = _narrow(places, owner, points.times[places], highest)
    if len(places) > len(points.starts):
        places = _narrow(places, owner, order_values(points.values[places]), highest)
    return _one_each(places, owner)


def _pack_points(points: Points, places: I64) -> npt.NDArray[np.void]:
    return pack192(
        order_steps(points.steps[places]), order_steps(points.times[places]), order_values(points.values[places])
    )


def _extreme_values(
    points: Points, owner: I64, lowest: F64, highest: F64
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
    """`series.low` and `series.high`: the extreme number and the lowest step where it stands."""
    count = len(points.starts)
    low_value, low_step = np.full(count, _ALL), np.full(count, _ALL)
    high_value, high_step = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    places = np.flatnonzero(points.values == np.repeat(lowest, points.counts))
    if len(places):
        values, steps, owners = _at_lowest_step(points, places, owner, highest=False)
        low_value[owners], low_step[owners] = values, steps
    places = np.flatnonzero(points.values == np.repeat(highest, points.counts))
    if len(places):
        values, steps, owners = _at_lowest_step(points, places, owner, highest=True)
        high_value[owners], high_step[owners] = values, ~steps
    return pack128(low_value, low_step), pack128(high_value, high_step)


def _at_lowest_step(points: Points, places: I64, owner: I64, highest: bool) -> tuple[U64, U64, I64]:
    places = _narrow(places, owner, order_values(points.values[places]), highest)
    places = _one_each(_narrow(places, owner, points.steps[places], highest=False), owner)
    return order_values(points.values[places]), order_steps(points.steps[places]), owner[places]


def _rollup(points: Points, owner: I64, owners: Columns, nan: npt.NDArray[np.bool_] | None) -> Columns:
    buckets, values = points.steps >> BUCKET_BITS, points.values
    at = _changes(owner, buckets)
    if len(at) * 8 > len(buckets) and len(at) > len(points.starts):
        # Steps jump about: without sorting there would be a row for nearly every point.
        order = np.lexsort((buckets, owner))
        owner, buckets, values = owner[order], buckets[order], values[order]
        nan = None if nan is None else nan[order]
        at = _changes(owner, buckets)
    aggregates = _aggregates(values, nan, at, np.diff(at, append=len(buckets)))
    series = owner[at]
    return {
        "namespace": _take(owners["namespace"], series),
        "run_id": _take(owners["run_id"], series),
        "key": _take(owners["key"], series),
        "b": buckets[at],
        "n": aggregates["n"],
        "nans": aggregates["nans"],
        "total": aggregates["total"],
        "minv": aggregates["minv"],
        "maxv": aggregates["maxv"],
    }


def _changes(owner: I64, buckets: I64) -> I64:
    differs = (owner[1:] != owner[:-1]) | (buckets[1:] != buckets[:-1])
    return np.flatnonzero(np.concatenate((np.ones(1, np.bool_), differs)))


def _take(column: object, places: I64) -> Any:
    if isinstance(column, Coded):
        return Coded(column.codes[places], column.texts)
    if isinstance(column, np.ndarray):
        return column[places]
    raise TypeError("a column of texts can't be taken by places")
