"""Raw points of series.

Series that are short are read together, up to BATCH_POINTS in a statement; a long one alone, and in pieces when it is
longer than that (`point_pieces`). Points come from the warehouse in its own order, (step, time, log): times and ranks
are sorted out here. The last points of long series are found by `rollup`, which says behind which step there are
enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from fleetlog_core.warehouse.port import Answer, Array, Statement
from fleetlog_core.warehouse.schema import BUCKET_STEPS
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.language.values import EVERY
from fleetlog_query.series.point_chunks import Name, chunks
from fleetlog_query.series.point_pieces import LongSeries
from fleetlog_query.series.series_query import TIME, SeriesQuery
from fleetlog_query.series.series_rows import Select, extents, place_sql, points_of, rollup_of, scope_sql, slices
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.holding import Holding, answer_size

BATCH_POINTS = 1_000_000
BATCH_SERIES = 100
LONG_POINTS = 2_000
"""Points that a series has beyond those that are wanted, from which on the last ones are looked for."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Every one of the keys of every one of the runs; and the steps from which on some of them are read."""

    run_ids: tuple[bytes, ...]
    keys: tuple[str, ...]
    floors: Mapping[Name, int]
    is_long: bool = False
    """One series, of more points than are held at once."""

    @property
    def single(self) -> bool:
        return len(self.run_ids) == len(self.keys) == 1


def read_points(
    select: Select, query: SeriesQuery, starts: Mapping[bytes, int], now: Callable[[], AsOf], holding: Holding
) -> Iterator[metric_pb2.ReadMetricResponse]:
    """The series in order, in chunks, each a response with one part.

    `starts`: of the runs, for times since then; `now`: a position that every later read sees all before.
    """
    for batch in _batches(select, query):
        answer = None if batch.is_long else select(_statement(query, batch, starts))
        if answer is None or (batch.single and answer.rows > BATCH_POINTS):
            answer = None
            name = (batch.run_ids[0], batch.keys[0])
            yield from LongSeries(query, name, starts, now()).read(select, holding)
            continue
        holding.bytes = answer_size(answer)
        found = dict(_columns(answer, query, batch))
        for run_id in batch.run_ids:
            for key in batch.keys:
                if (run_id, key) in found:
                    yield from _responses(query, (run_id, key), found[(run_id, key)], starts.get(run_id, 0))


def _batches(select: Select, query: SeriesQuery) -> Iterator[_Batch]:
    if len(query.run_ids) == len(query.keys) == 1:
        floors = _floors(select, query, query.run_ids) if query.last and query.of_steps_alone else {}
        yield _Batch(query.run_ids, query.keys, floors)
        return
    known = extents(select, query.namespace, query.run_ids, query.keys)
    sizes = {name: extent.points for name, extent in known.items()}
    floors = {}
    if query.last and query.of_steps_alone:
        long = {run_id: None for (run_id, _), size in sizes.items() if size > query.last + LONG_POINTS}
        floors = _floors(select, query, tuple(long)) if long else {}
        sizes.update(dict.fromkeys(floors, query.last + LONG_POINTS))
    run_ids: list[bytes] = []
    total = 0
    for run_id in query.run_ids:
        keys = [key for key in query.keys if (run_id, key) in sizes]
        size = sum(sizes[(run_id, key)] for key in keys)
        if run_ids and (total + size > BATCH_POINTS or (len(run_ids) + 1) * len(query.keys) > BATCH_SERIES):
            yield _Batch(tuple(run_ids), query.keys, floors)
            run_ids, total = [], 0
        if size > BATCH_POINTS:
            for key in keys:
                yield _Batch((run_id,), (key,), floors, sizes[(run_id, key)] > BATCH_POINTS)
        elif keys:
            run_ids.append(run_id)
            total += size
    if run_ids:
        yield _Batch(tuple(run_ids), query.keys, floors)


def _floors(select: Select, query: SeriesQuery, run_ids: Sequence[bytes]) -> dict[Name, int]:
    """For each series of more points than wanted: a step from which on there are enough."""
    binds = Binds()
    where = scope_sql(query.namespace, run_ids, query.keys, binds)
    if query.steps[1] != EVERY[1]:
        # Of a bucket that is cut some points may not count.
        where += f" AND b < {binds.whole((query.steps[1] + 1) // BUCKET_STEPS)}"
    rollup = rollup_of(query.tables, run_ids, query.keys, binds)
    buckets = f"SELECT run_id, key, b, sum(n) AS c FROM {rollup} WHERE {where} GROUP BY run_id, key, b"
    behind = f"SELECT run_id, key, b, sum(c) OVER (PARTITION BY run_id, key ORDER BY b DESC) AS s FROM ({buckets})"
    sql = (
        f"SELECT run_id, {place_sql(query.keys, binds)} AS named, max(b) AS floor FROM ({behind})"
        f" WHERE s >= {binds.whole(query.last)} GROUP BY run_id, key ORDER BY run_id, key"
    )
    answer = select(Statement(sql, binds.values))
    floors = answer.array("floor")
    return {(run_id, key): int(floors[rows][0]) * BUCKET_STEPS for run_id, key, rows in slices(answer, query.keys, ())}


def _statement(query: SeriesQuery, batch: _Batch, starts: Mapping[bytes, int]) -> Statement:
    binds = Binds()
    columns = ["step", f"{TIME} AS time", "value"]
    if not batch.single:
        columns += ["run_id", f"{place_sql(batch.keys, binds)} AS named"]
    if query.per_rank:
        columns.append("rank")
    where = scope_sql(query.namespace, batch.run_ids, batch.keys, binds)
    if any((run_id, key) in batch.floors for run_id in batch.run_ids for key in batch.keys):
        where += f" AND ({_floors_sql(batch, binds)})"
    where += query.where(query.time_sql(starts, binds) if query.times != EVERY else "", binds)
    source = points_of(query.tables, batch.run_ids, batch.keys, binds)
    order = f"namespace, run_id, key, step, ts, {query.tables.log_order}"
    sql = f"SELECT {', '.join(columns)} FROM {source} WHERE {where} ORDER BY {order}"
    if batch.single:
        # One more tells that there are too many to be held at once.
        sql += f" LIMIT {BATCH_POINTS + 1}"
    return Statement(sql, binds.values, wide=True)


def _floors_sql(batch: _Batch, binds: Binds) -> str:
    parts = []
    for run_id in batch.run_ids:
        for key in batch.keys:
            part = f"run_id = {binds.run_id(run_id)} AND key = {binds.text(key)}"
            floor = batch.floors.get((run_id, key))
            parts.append(f"({part})" if floor is None else f"({part} AND step >= {binds.whole(floor)})")
    return " OR ".join(parts)


def _columns(answer: Answer, query: SeriesQuery, batch: _Batch) -> Iterator[tuple[Name, tuple[Array, ...]]]:
    """(steps, times, values, ranks) of each series; ranks are there when they are needed."""
    if answer.rows == 0:
        return
    columns = [answer.array(name) for name in ("step", "time", "value")]
    columns += [answer.array("rank")] if query.per_rank else []
    if batch.single:
        yield (batch.run_ids[0], batch.keys[0]), tuple(columns)
        return
    for run_id, key, rows in slices(answer, batch.keys, ()):
        yield (run_id, key), tuple([column[rows] for column in columns])


def _responses(
    query: SeriesQuery, name: Name, columns: tuple[Array, ...], start: int
) -> Iterator[metric_pb2.ReadMetricResponse]:
    if not query.per_rank:
        yield from _in_order(query, name, columns[:3], start, None)
        return
    for rank in np.unique(columns[3]).tolist():
        of_rank = columns[3] == rank
        yield from _in_order(query, name, tuple([column[of_rank] for column in columns[:3]]), start, rank)


def _in_order(
    query: SeriesQuery, name: Name, columns: tuple[Array, ...], start: int, rank: int | None
) -> Iterator[metric_pb2.ReadMetricResponse]:
    steps, times, values = columns
    if query.axis != "step":
        # Stable: points of one time stay in the order of their steps.
        order = np.argsort(times, kind="stable")
        steps, times, values = steps[order], times[order], values[order]
    if query.axis == "relative":
        times = times - start
    yield from chunks(name, (steps, times, values), rank, max(0, len(steps) - query.last) if query.last else 0)
