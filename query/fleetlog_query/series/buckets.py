"""Series in buckets: of equal width along the axis, over all the series of a read together, so that curves line up.

Buckets of 128 steps or more are read from `rollup`, whole multiples of it, and where a range cuts one from points.
Narrower ones are read from points; of very many points those of more than 64 steps get 128, and come from `rollup`
too. Buckets of times or ranks are read from points.

Rows of `rollup` are read beside the ends of the series (`_early`), and put together here and not by the engine
(`_folded`): without either 100 series × 1,000 buckets miss their mark, a p95 of 50 ms, by a statement's time or more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_core.warehouse.schema import BUCKET_STEPS
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.language.values import EVERY
from fleetlog_query.series.grid import Grid
from fleetlog_query.series.series_query import SeriesQuery
from fleetlog_query.series.series_rows import (
    Select,
    changes,
    extents,
    place_sql,
    points_of,
    rollup_of,
    scope_sql,
    slices,
)
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.value_rows import KEPT_SQL, POINT_SQL
from fleetlog_query.warehouse.cancellable import CancellableWarehouse
from fleetlog_query.warehouse.holding import Holding, answer_size

BATCH_BUCKETS = 1_000_000
EARLY_SERIES = 16
"""Whole series from which on the rows of `rollup` are read before it is known whether they will do: mostly they do."""
FOLDED_ROWS = 1_000_000
"""Maximum rows of `rollup` that are read as they are, in the order of the table, and put together here: the engine
takes five times as long to group them. More would be too many to hold."""
_WORD = 1 << 64
_OF_POINTS = (
    "count() AS points, countIf(isNaN(value)) AS lacking, min(if(isNaN(value), inf, value)) AS lowest,"
    " max(if(isNaN(value), -inf, value)) AS highest, sumIf(value, NOT isNaN(value)) AS whole"
)
_OF_PARTS = "sum(c) AS points, sum(k) AS lacking, min(lo) AS lowest, max(hi) AS highest, sum(t) AS whole"


def read_buckets(
    warehouse: CancellableWarehouse, query: SeriesQuery, starts: Mapping[bytes, int], holding: Holding
) -> Iterator[metric_pb2.ReadMetricResponse]:
    """The series in order, each a response of one part for each rank. `starts`: of the runs, for times since then."""
    early, ends = _early(warehouse, query, starts)
    if ends is None:
        return
    low, high, points = ends
    grid = Grid.of(low, high, query.buckets, query, points)
    if grid.rows(points, len(query.run_ids) * len(query.keys)) <= FOLDED_ROWS:
        if early is None or early.rows > FOLDED_ROWS:
            early = warehouse.select(_rows_statement(query, grid))
        holding.bytes = 2 * answer_size(early)
        yield from _in_order(_folded(_inside(early, grid), grid), query, query.run_ids, grid)
        return
    runs = max(1, BATCH_BUCKETS // (query.buckets * len(query.keys)))
    for first in range(0, len(query.run_ids), runs):
        run_ids = query.run_ids[first : first + runs]
        answer = warehouse.select(_statement(query, run_ids, grid, starts))
        holding.bytes = 2 * answer_size(answer)
        yield from _in_order(answer, query, run_ids, grid)


Ends = tuple[int, int, float]


def _early(
    warehouse: CancellableWarehouse, query: SeriesQuery, starts: Mapping[bytes, int]
) -> tuple[Answer | None, Ends | None]:
    """The rows of `rollup` of many whole series, if they may do; and the ends, which are looked up beside that."""
    whole = query.of_steps_alone and query.steps == EVERY
    if not whole or len(query.run_ids) * len(query.keys) < EARLY_SERIES:
        return None, _ends(warehouse.select, query, starts)
    ends: Future[Ends | None] = warehouse.beside(lambda: _ends(warehouse.select, query, starts))
    return warehouse.select(_rows_statement(query, None)), ends.result()


def _ends(select: Select, query: SeriesQuery, starts: Mapping[bytes, int]) -> Ends | None:
    """The lowest and the highest of the series along the axis, and about how many points there are between the ends of
    the query; None when nothing can be found."""
    if query.axis == "step" and query.as_of is None:
        known = extents(select, query.namespace, query.run_ids, query.keys).values()
        if not known:
            return None
        low, high = min(extent.low for extent in known), max(extent.high for extent in known)
        if max(low, query.steps[0]) > min(high, query.steps[1]):
            return None
        return low, high, sum(extent.points * extent.share(*query.steps) for extent in known)
    binds = Binds()
    scope, time = scope_sql(query.namespace, query.run_ids, query.keys, binds), query.time_sql(starts, binds)
    source = points_of(query.tables, query.run_ids, query.keys, binds)
    axis = "step" if query.axis == "step" else time
    sql = f"SELECT min({axis}) AS low, max({axis}) AS high, count() AS points FROM {source} WHERE {scope}"
    answer = select(Statement(sql + query.where(time, binds), binds.values, wide=True))
    if answer.rows == 0 or int(answer.array("points")[0]) == 0:
        return None
    return int(answer.array("low")[0]), int(answer.array("high")[0]), float(answer.array("points")[0])


def _rows_statement(query: SeriesQuery, grid: Grid | None) -> Statement:
    """Rows that the buckets consist of, by run, key and step; all of `rollup` when the grid is not known yet."""
    binds = Binds()
    scope, named = scope_sql(query.namespace, query.run_ids, query.keys, binds), place_sql(query.keys, binds)
    buckets, edges = grid.window.split() if grid is not None and grid.window is not None else (None, [])
    tables = _Tables.of(query, query.run_ids, binds)
    kept = _kept(tables, scope, buckets, binds)
    if not edges:
        limit = f" LIMIT {FOLDED_ROWS + 1}" if grid is None else ""
        sql = f"SELECT run_id, {named} AS named, {kept} ORDER BY namespace, run_id, key, b{limit}"
        return Statement(sql, binds.values)
    source = f"(SELECT run_id, key, {kept} UNION ALL {_edges(tables, scope, edges, binds)})"
    sql = f"SELECT run_id, {named} AS named, x, lo, hi, c, k, t FROM {source} ORDER BY run_id, key, x"
    return Statement(sql, binds.values, wide=True)


class _Tables(NamedTuple):
    points: str
    rollup: str

    @classmethod
    def of(cls, query: SeriesQuery, run_ids: Sequence[bytes], binds: Binds) -> _Tables:
        """Sources of the series of some runs, for FROM."""
        tables, keys = query.tables, query.keys
        return cls(points_of(tables, run_ids, keys, binds), rollup_of(tables, run_ids, keys, binds))


def _kept(tables: _Tables, scope: str, buckets: tuple[int, int] | None, binds: Binds) -> str:
    """Columns and rows that `rollup` has of these of its buckets, both included; None = of all."""
    sql = f"b * {BUCKET_STEPS} AS x, {KEPT_SQL} FROM {tables.rollup} WHERE {scope}"
    return sql if buckets is None else f"{sql} AND b BETWEEN {binds.whole(buckets[0])} AND {binds.whole(buckets[1])}"


def _edges(tables: _Tables, scope: str, edges: Sequence[tuple[int, int]], binds: Binds) -> str:
    """Points where the range cuts a row of `rollup`, as such rows."""
    steps = " OR ".join(f"step BETWEEN {binds.whole(first)} AND {binds.whole(last)}" for first, last in edges)
    return f"SELECT run_id, key, step AS x, {POINT_SQL} FROM {tables.points} WHERE {scope} AND ({steps})"


def _statement(query: SeriesQuery, run_ids: Sequence[bytes], grid: Grid, starts: Mapping[bytes, int]) -> Statement:
    """The buckets of these runs, series after series."""
    binds = Binds()
    scope = scope_sql(query.namespace, run_ids, query.keys, binds)
    rank = ", rank" if query.per_rank else ""
    buckets, edges = grid.window.split() if grid.window is not None else (None, [])
    tables = _Tables.of(query, run_ids, binds)
    if buckets is None:
        time = query.time_sql(starts, binds)
        axis = "step" if query.axis == "step" else time
        source, values = f"{tables.points} WHERE {scope}{query.where(time, binds)}", _OF_POINTS
    else:
        axis, values = "x", _OF_PARTS
        beside = f" UNION ALL {_edges(tables, scope, edges, binds)}" if edges else ""
        source = f"(SELECT run_id, key, {_kept(tables, scope, buckets, binds)}{beside})"
    named = place_sql(query.keys, binds)
    sql = (
        f"SELECT run_id, {named} AS named{rank}, {_place(axis, grid, binds)} AS place, {values}"
        f" FROM {source} GROUP BY run_id, named{rank}, place ORDER BY run_id, named{rank}, place"
    )
    return Statement(sql, binds.values, wide=True)


def _in_order(
    answer: Answer, query: SeriesQuery, run_ids: Sequence[bytes], grid: Grid
) -> Iterator[metric_pb2.ReadMetricResponse]:
    """The responses, as the runs and keys were asked for."""
    found: dict[tuple[bytes, str], list[metric_pb2.ReadMetricResponse]] = {}
    for run_id, key, response in _responses(answer, query, grid):
        found.setdefault((run_id, key), []).append(response)
    for run_id in run_ids:
        for key in query.keys:
            yield from found.get((run_id, key), ())


def _inside(answer: Answer, grid: Grid) -> Answer:
    """The rows without those of points that came after the ends were looked up."""
    if answer.rows == 0 or grid.window is None:
        return answer
    steps, (first, last) = answer.array("x"), grid.window.steps
    inside = (steps >= first) & (steps <= last)
    if inside.all():
        return answer
    columns = {name: answer.array(name)[inside] for name in answer.columns}
    return Answer(columns, int(inside.sum()), answer.rows_read, answer.bytes_read)


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


def _responses(
    answer: Answer, query: SeriesQuery, grid: Grid
) -> Iterator[tuple[bytes, str, metric_pb2.ReadMetricResponse]]:
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
    # + 0. makes one zero of two: which of them a minimum is would depend on the order of rows.
    mins = np.where(none, np.nan, answer.array("lowest") + 0.0)
    maxs = np.where(none, np.nan, answer.array("highest") + 0.0)
    columns = ["rank"] if query.per_rank else []
    for run_id, key, rows in slices(answer, query.keys, columns):
        rank = int(answer.array("rank")[rows.start]) if query.per_rank else None
        response = metric_pb2.ReadMetricResponse()
        buckets = response.parts.add(run_id=run_id.hex(), key=key, rank=rank).buckets
        buckets.steps = steps[rows].astype("<i8").tobytes()
        buckets.counts = counts[rows].tobytes()
        buckets.mins, buckets.maxs = mins[rows].tobytes(), maxs[rows].tobytes()
        buckets.means = means[rows].tobytes()
        if nans[rows].any():
            buckets.nans = nans[rows].tobytes()
        yield run_id, key, response
