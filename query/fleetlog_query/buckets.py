"""Series in buckets: of equal width along the axis, over all the series of a read together, so that curves line up.

Buckets of 128 steps or more are read from `rollup`, whole multiples of it, and where a range cuts one from points.
Buckets of times or ranks are read from points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.binds import Binds
from fleetlog_query.filter.values import ROLLUP_STEPS, Window
from fleetlog_query.series_query import SeriesQuery
from fleetlog_query.series_rows import Select, extents, place_sql, scope_sql, slices
from fleetlog_query.value_rows import KEPT_SQL, POINT_SQL

BATCH_BUCKETS = 1_000_000
_WORD = 1 << 64
_WIDE = 1 << 62
_OF_POINTS = (
    "count() AS points, countIf(isNaN(value)) AS lacking, min(if(isNaN(value), inf, value)) AS lowest,"
    " max(if(isNaN(value), -inf, value)) AS highest, sumIf(value, NOT isNaN(value)) AS whole"
)
_OF_PARTS = "sum(c) AS points, sum(k) AS lacking, min(lo) AS lowest, max(hi) AS highest, sum(t) AS whole"


@dataclass(frozen=True, slots=True)
class Grid:
    """Buckets from `origin` on, of which `low` is the lowest that can be in one; `rollup`: whole buckets of it.

    `window` is of the steps that are read from `rollup` and beside it.
    """

    origin: int
    low: int
    width: int
    window: Window | None = None

    @classmethod
    def of(cls, low: int, high: int, count: int, query: SeriesQuery) -> Grid:
        """At most `count` buckets from low to high; the ends of the series and those of the query met there."""
        first, last = max(low, query.steps[0]), min(high, query.steps[1])
        if query.axis != "step":
            first, last = low, high
        width = -(-(last - first + 1) // count)
        if not query.of_steps_alone or width < ROLLUP_STEPS:
            return cls(first, first, width)
        width = -(-width // ROLLUP_STEPS) * ROLLUP_STEPS
        origin = first - first % ROLLUP_STEPS
        if -(-(last - origin + 1) // width) > count:
            width += ROLLUP_STEPS
        # An end of the query cuts a bucket; behind an end of the series there is nothing to cut.
        steps = (
            first if query.steps[0] > low else origin,
            last if query.steps[1] < high else last - last % ROLLUP_STEPS + ROLLUP_STEPS - 1,
        )
        return cls(origin, first, width, Window(steps))


def read_buckets(
    select: Select, query: SeriesQuery, starts: Mapping[bytes, int]
) -> Iterator[query_pb2.ReadMetricResponse]:
    """The series in order, each in one response for each rank. `starts`: of the runs, for times since then."""
    ends = _ends(select, query, starts)
    if ends is None:
        return
    grid = Grid.of(*ends, query.buckets, query)
    runs = max(1, BATCH_BUCKETS // (query.buckets * len(query.keys)))
    for first in range(0, len(query.run_ids), runs):
        run_ids = query.run_ids[first : first + runs]
        found: dict[tuple[bytes, str], list[query_pb2.ReadMetricResponse]] = {}
        for response in _responses(select(_statement(query, run_ids, grid, starts)), query, grid):
            found.setdefault((bytes.fromhex(response.run_id), response.key), []).append(response)
        for run_id in run_ids:
            for key in query.keys:
                yield from found.get((run_id, key), ())


def _ends(select: Select, query: SeriesQuery, starts: Mapping[bytes, int]) -> tuple[int, int] | None:
    """The lowest and the highest of the series along the axis; None when nothing can be found."""
    if query.axis == "step":
        known = extents(select, query.namespace, query.run_ids, query.keys).values()
        if not known:
            return None
        low, high = min(extent.low for extent in known), max(extent.high for extent in known)
        return (low, high) if max(low, query.steps[0]) <= min(high, query.steps[1]) else None
    binds = Binds()
    scope, time = scope_sql(query.namespace, query.run_ids, query.keys, binds), query.time_sql(starts, binds)
    sql = f"SELECT min({time}) AS low, max({time}) AS high, count() AS points FROM points WHERE {scope}"
    answer = select(Statement(sql + query.where(time, binds), binds.values, wide=True))
    if answer.rows == 0 or int(answer.array("points")[0]) == 0:
        return None
    return int(answer.array("low")[0]), int(answer.array("high")[0])


def _statement(query: SeriesQuery, run_ids: Sequence[bytes], grid: Grid, starts: Mapping[bytes, int]) -> Statement:
    binds = Binds()
    scope = scope_sql(query.namespace, run_ids, query.keys, binds)
    rank = ", rank" if query.per_rank else ""
    buckets, edges = grid.window.split() if grid.window is not None else (None, [])
    if buckets is None:
        time = query.time_sql(starts, binds)
        axis = "step" if query.axis == "step" else time
        source, values = f"points WHERE {scope}{query.where(time, binds)}", _OF_POINTS
    else:
        low, high = binds.whole(buckets[0]), binds.whole(buckets[1])
        axis, values = "x", _OF_PARTS
        source = (
            f"(SELECT run_id, key, b * {ROLLUP_STEPS} AS x, {KEPT_SQL} FROM rollup"
            f" WHERE {scope} AND b >= {low} AND b <= {high}"
        )
        if edges:
            steps = " OR ".join(f"step BETWEEN {binds.whole(one)} AND {binds.whole(two)}" for one, two in edges)
            source += f" UNION ALL SELECT run_id, key, step AS x, {POINT_SQL} FROM points WHERE {scope} AND ({steps})"
        source += ")"
    sql = (
        f"SELECT run_id, {place_sql(query.keys, binds)} AS named{rank}, {_place(axis, grid, binds)} AS place, {values}"
        f" FROM {source} GROUP BY run_id, named{rank}, place ORDER BY run_id, named{rank}, place"
    )
    return Statement(sql, binds.values, wide=True)


def _place(axis: str, grid: Grid, binds: Binds) -> str:
    if grid.width < _WIDE // 10_000 and abs(grid.origin) < _WIDE:
        return f"intDiv({axis} - {binds.whole(grid.origin)}, {binds.whole(grid.width)})"
    # Steps may be as far from each other as 64 bits reach.
    origin, width = binds.text(str(grid.origin)), binds.text(str(grid.width))
    return f"toInt64(intDiv(toInt128({axis}) - toInt128({origin}), toInt128({width})))"


def _responses(answer: Answer, query: SeriesQuery, grid: Grid) -> Iterator[query_pb2.ReadMetricResponse]:
    if answer.rows == 0:
        return
    # In unsigned arithmetic, which wraps round: the sum is right whatever the product is.
    places = answer.array("place").astype(np.uint64)
    steps = (places * np.uint64(grid.width % _WORD) + np.uint64(grid.origin % _WORD)).view(np.int64)
    # The first bucket may begin before the range.
    steps = np.maximum(steps, np.int64(grid.low))
    counts, nans = answer.array("points").astype("<u8"), answer.array("lacking").astype("<u8")
    numbers = (counts - nans).astype(np.float64)
    none = numbers == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(none, np.nan, answer.array("whole") / numbers)
    mins = np.where(none, np.nan, answer.array("lowest"))
    maxs = np.where(none, np.nan, answer.array("highest"))
    columns = ["rank"] if query.per_rank else []
    for run_id, key, rows in slices(answer, query.keys, columns):
        chunk = query_pb2.BucketChunk(
            steps=steps[rows].astype("<i8").tobytes(),
            counts=counts[rows].tobytes(),
            mins=mins[rows].tobytes(),
            maxs=maxs[rows].tobytes(),
            means=means[rows].tobytes(),
            nans=nans[rows].tobytes(),
        )
        rank = int(answer.array("rank")[rows.start]) if query.per_rank else None
        yield query_pb2.ReadMetricResponse(run_id=run_id.hex(), key=key, buckets=chunk, rank=rank)
