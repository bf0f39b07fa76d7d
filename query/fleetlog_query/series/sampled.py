"""Steps of a sample of series: evenly among all that they have, so that curves line up, and the ends of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fleetlog_core.warehouse.port import Array, Statement

from fleetlog_query.series.series_query import SeriesQuery
from fleetlog_query.series.series_rows import Extent, Select, extents, place_sql, scope_sql
from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.rows import rows_of


def sampled(select: Select, query: SeriesQuery) -> SeriesQuery | None:
    """Returns the read of the steps that are chosen; None when there are no points at all."""
    known = _extents(select, query)
    if not known:
        return None
    if sum(extent.points for extent in known.values()) <= query.sample:
        return query
    steps = _steps(select, query, list(known))
    if not len(steps):
        return None
    low, high = query.steps
    ends = {step for extent in known.values() for step in (extent.low, extent.high) if low <= step <= high}
    return replace(query, chosen=tuple(sorted(ends.union(evenly(steps, query.sample).tolist()))))


def _extents(select: Select, query: SeriesQuery) -> dict[tuple[bytes, str], Extent]:
    """Extents of the series; as of a position by their points, since what is kept of a series is of now."""
    if query.as_of is None:
        return extents(select, query.namespace, query.run_ids, query.keys)
    binds = Binds()
    before = f"{scope_sql(query.namespace, query.run_ids, query.keys, binds)} AND off < {query.as_of.bound(binds)}"
    sql = (
        f"SELECT run_id, {place_sql(query.keys, binds)} AS named, count() AS points, min(step) AS low,"
        f" max(step) AS high FROM points WHERE {before} GROUP BY run_id, key"
    )
    rows = rows_of(select(Statement(sql, binds.values, wide=True)), "run_id", "named", "points", "low", "high")
    return {(run_id, query.keys[place - 1]): Extent(*extent) for run_id, place, *extent in rows}


def evenly(steps: Array, count: int) -> Array:
    """Returns `count` of the steps, evenly by their places among them, and the last; all when they are no more."""
    if len(steps) <= count:
        return steps
    places = (np.arange(count) * (len(steps) / count)).astype(np.int64)
    found: Array = steps[np.append(places, len(steps) - 1)]
    return found


def _steps(select: Select, query: SeriesQuery, known: list[tuple[bytes, str]]) -> Array:
    """The steps that any series has in the range, in order."""
    binds = Binds()
    run_ids = list(dict.fromkeys(run_id for run_id, _ in known))
    keys = list(dict.fromkeys(key for _, key in known))
    where = scope_sql(query.namespace, run_ids, keys, binds) + query.where(query.time_sql({}, binds), binds)
    sql = f"SELECT step FROM points WHERE {where} GROUP BY step ORDER BY step"
    return select(Statement(sql, binds.values, wide=True)).array("step")
