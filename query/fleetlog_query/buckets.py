"""Series in buckets: of equal width along the axis, over all the series of a read together, so that curves line up.

Buckets of 128 steps or more are read from `rollup`, whole multiples of it, and where a range cuts one from points.
Narrower ones are read from points; of very many points those of more than 64 steps get 128, and come from `rollup`
too. Buckets of times or ranks are read from points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.binds import Binds
from fleetlog_query.filter.values import ROLLUP_STEPS, Window
from fleetlog_query.series_query import SeriesQuery
from fleetlog_query.series_rows import Select, changes, extents, place_sql, scope_sql, slices
from fleetlog_query.value_rows import KEPT_SQL, POINT_SQL

BATCH_BUCKETS = 1_000_000
MANY_POINTS = 300_000
"""So many points take longer to read than a chart may: buckets get as wide as those of `rollup` where that leaves at
least half as many of them as were asked for."""
FOLDED_ROWS = 1_000_000
"""So many rows of `rollup` are read as they are, in the order of the table, and put together here: the engine takes
five times as long to group them. More would be too many to hold."""
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
    def of(cls, low: int, high: int, count: int, query: SeriesQuery, points: float = 0.0) -> Grid:
        """At most `count` buckets from low to high; the ends of the series and those of the query met there.

        `points`: about how many there are. Of more than MANY_POINTS, buckets of more than half of ROLLUP_STEPS are as
        wide as those: at least half of `count` are left, or half of those that the range has room for.
        """
        first, last = max(low, query.steps[0]), min(high, query.steps[1])
        if query.axis != "step":
            first, last = low, high
        narrow = -(-(last - first + 1) // count)
        width = -(-narrow // ROLLUP_STEPS) * ROLLUP_STEPS
        origin = first - first % ROLLUP_STEPS
        fits = -(-(last - origin + 1) // width) <= count
        widens = fits and 2 * narrow > ROLLUP_STEPS and points > MANY_POINTS
        if not query.of_steps_alone or (narrow < ROLLUP_STEPS and not widens):
            return cls(first, first, narrow)
        if not fits:
            width += ROLLUP_STEPS
        # An end of the query cuts a bucket; behind an end of the series there is nothing to cut.
        steps = (
            first if query.steps[0] > low else origin,
            last if query.steps[1] < high else last - last % ROLLUP_STEPS + ROLLUP_STEPS - 1,
        )
        return cls(origin, first, width, Window(steps))

    @property
    def is_near(self) -> bool:
        """Whether 64 bits hold how far any step of a bucket is from the origin."""
        return self.width < _WIDE // 10_000 and abs(self.origin) < _WIDE

    def rows(self, points: float, series: int) -> float:
        """About how many rows there are to put together; infinite when they are not of `rollup`."""
        buckets, edges = self.window.split() if self.window is not None else (None, [])
        if self.window is None or buckets is None or not self.is_near:
            return math.inf
        beside = sum(last - first + 1 for first, last in edges)
        steps = self.window.steps[1] - self.window.steps[0] + 1
        # A row of rollup has a point at least.
        return min(points, (buckets[1] - buckets[0] + 1) * series) + points * beside / steps


def read_buckets(
    select: Select, query: SeriesQuery, starts: Mapping[bytes, int]
) -> Iterator[metric_pb2.ReadMetricResponse]:
    """The series in order, each a response of one part for each rank. `starts`: of the runs, for times since then."""
    ends = _ends(select, query, starts)
    if ends is None:
        return
    low, high, points = ends
    grid = Grid.of(low, high, query.buckets, query, points)
    folded = grid.rows(points, len(query.run_ids) * len(query.keys)) <= FOLDED_ROWS
    runs = max(1, BATCH_BUCKETS // (query.buckets * len(query.keys)))
    for first in range(0, len(query.run_ids), runs):
        run_ids = query.run_ids[first : first + runs]
        found: dict[tuple[bytes, str], list[metric_pb2.ReadMetricResponse]] = {}
        answer = select(_statement(query, run_ids, grid, starts, folded))
        for response in _responses(_folded(answer, grid) if folded else answer, query, grid):
            part = response.parts[0]
            found.setdefault((bytes.fromhex(part.run_id), part.key), []).append(response)
        for run_id in run_ids:
            for key in query.keys:
                yield from found.get((run_id, key), ())


def _ends(select: Select, query: SeriesQuery, starts: Mapping[bytes, int]) -> tuple[int, int, float] | None:
    """The lowest and the highest of the series along the axis, and about how many points there are between the ends of
    the query; None when nothing can be found."""
    if query.axis == "step":
        known = extents(select, query.namespace, query.run_ids, query.keys).values()
        if not known:
            return None
        low, high = min(extent.low for extent in known), max(extent.high for extent in known)
        if max(low, query.steps[0]) > min(high, query.steps[1]):
            return None
        return low, high, sum(extent.points * extent.share(*query.steps) for extent in known)
    binds = Binds()
    scope, time = scope_sql(query.namespace, query.run_ids, query.keys, binds), query.time_sql(starts, binds)
    sql = f"SELECT min({time}) AS low, max({time}) AS high, count() AS points FROM points WHERE {scope}"
    answer = select(Statement(sql + query.where(time, binds), binds.values, wide=True))
    if answer.rows == 0 or int(answer.array("points")[0]) == 0:
        return None
    return int(answer.array("low")[0]), int(answer.array("high")[0]), float(answer.array("points")[0])


def _statement(
    query: SeriesQuery, run_ids: Sequence[bytes], grid: Grid, starts: Mapping[bytes, int], folded: bool
) -> Statement:
    """The buckets of these runs, series after series; `folded`: what they consist of, in order."""
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
        kept = f"b * {ROLLUP_STEPS} AS x, {KEPT_SQL} FROM rollup WHERE {scope} AND b >= {low} AND b <= {high}"
        if folded and not edges:
            sql = f"SELECT run_id, {place_sql(query.keys, binds)} AS named, {kept} ORDER BY namespace, run_id, key, b"
            return Statement(sql, binds.values)
        source = f"(SELECT run_id, key, {kept}"
        if edges:
            steps = " OR ".join(f"step BETWEEN {binds.whole(one)} AND {binds.whole(two)}" for one, two in edges)
            source += f" UNION ALL SELECT run_id, key, step AS x, {POINT_SQL} FROM points WHERE {scope} AND ({steps})"
        source += ")"
    named = place_sql(query.keys, binds)
    if folded:
        sql = f"SELECT run_id, {named} AS named, x, lo, hi, c, k, t FROM {source} ORDER BY run_id, key, x"
        return Statement(sql, binds.values, wide=True)
    sql = (
        f"SELECT run_id, {named} AS named{rank}, {_place(axis, grid, binds)} AS place, {values}"
        f" FROM {source} GROUP BY run_id, named{rank}, place ORDER BY run_id, named{rank}, place"
    )
    return Statement(sql, binds.values, wide=True)


def _folded(answer: Answer, grid: Grid) -> Answer:
    """The buckets of rows that are in order: by run, key and x."""
    if answer.rows == 0:
        return answer
    run_ids, named = answer.array("run_id"), answer.array("named")
    places = (answer.array("x") - np.int64(grid.origin)) // np.int64(grid.width)
    new = np.ones(answer.rows, bool)
    new[1:] = (places[1:] != places[:-1]) | (named[1:] != named[:-1]) | changes(run_ids)
    begins = np.flatnonzero(new)
    columns = {"run_id": run_ids[begins], "named": named[begins], "place": places[begins]}
    # Often each row is a bucket, and there is nothing to put together.
    whole = len(begins) == answer.rows
    reductions = (
        ("points", "c", np.add), ("lacking", "k", np.add), ("lowest", "lo", np.minimum), ("highest", "hi", np.maximum),
        ("whole", "t", np.add),
    )  # fmt: skip
    with np.errstate(invalid="ignore", over="ignore"):
        for name, part, reduce in reductions:
            column = answer.array(part)
            columns[name] = column if whole else reduce.reduceat(column, begins)
    return Answer(columns, len(begins), answer.rows_read, answer.bytes_read)


def _place(axis: str, grid: Grid, binds: Binds) -> str:
    if grid.is_near:
        return f"intDiv({axis} - {binds.whole(grid.origin)}, {binds.whole(grid.width)})"
    # Steps may be as far from each other as 64 bits reach.
    origin, width = binds.text(str(grid.origin)), binds.text(str(grid.width))
    return f"toInt64(intDiv(toInt128({axis}) - toInt128({origin}), toInt128({width})))"


def _responses(answer: Answer, query: SeriesQuery, grid: Grid) -> Iterator[metric_pb2.ReadMetricResponse]:
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
        rank = int(answer.array("rank")[rows.start]) if query.per_rank else None
        response = metric_pb2.ReadMetricResponse()
        buckets = response.parts.add(run_id=run_id.hex(), key=key, rank=rank).buckets
        buckets.steps = steps[rows].astype("<i8").tobytes()
        buckets.counts = counts[rows].tobytes()
        buckets.mins, buckets.maxs = mins[rows].tobytes(), maxs[rows].tobytes()
        buckets.means, buckets.nans = means[rows].tobytes(), nans[rows].tobytes()
        yield response
