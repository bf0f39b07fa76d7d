"""Raw points of one long series, some at a time: however many there are, a read holds one piece of them.

All pieces are of one moment: points at or behind the position where the warehouse was at the beginning are left out,
and what is before a position never changes. A piece begins behind the last point of the one before, by the order of
the answer: rows that have its step and time too are counted, and passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.language.values import EVERY
from fleetlog_query.series.point_chunks import Name, chunks
from fleetlog_query.series.series_query import TIME, SeriesQuery
from fleetlog_query.series.series_rows import Select, points_of, scope_sql
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.holding import Holding, answer_size

PIECE_POINTS = 1_000_000
"""Points in a piece: 24 MB of an answer, and as much while it is decoded."""
_LAST_TIE = "reinterpretAsUInt64(value)"
"""Tells points of one step, time and record apart. Those that are the same in all of it may change places unseen."""


@dataclass(frozen=True, slots=True)
class LongSeries:
    """One series that is read in pieces."""

    query: SeriesQuery
    name: Name
    starts: Mapping[bytes, int]
    position: AsOf
    """Points before it are read."""

    @property
    def _order(self) -> tuple[str, str]:
        """The columns that the answer is sorted by, before ties."""
        return ("step", "time") if self.query.axis == "step" else ("time", "step")

    def _points(self, binds: Binds) -> str:
        return points_of(self.query.tables, [self.name[0]], [self.name[1]], binds)

    def _where(self, rank: int | None, binds: Binds) -> str:
        query = self.query
        where = scope_sql(query.namespace, [self.name[0]], [self.name[1]], binds)
        where += query.where(query.time_sql(self.starts, binds) if query.times != EVERY else "", binds)
        if rank is not None:
            where += f" AND rank = {binds.whole(rank)}"
        return f"{where} AND off < {self.position.bound(binds)}"

    def ranks(self, select: Select) -> list[int]:
        """The ranks whose points there are, in order."""
        binds = Binds()
        points, where = self._points(binds), self._where(None, binds)
        sql = f"SELECT DISTINCT toInt64(rank) AS number FROM {points} WHERE {where} ORDER BY number"
        return [int(rank) for rank in select(Statement(sql, binds.values, wide=True)).array("number").tolist()]

    def count(self, select: Select, rank: int | None) -> int:
        """Points there are."""
        binds = Binds()
        sql = f"SELECT count() AS points FROM {self._points(binds)} WHERE {self._where(rank, binds)}"
        return int(select(Statement(sql, binds.values, wide=True)).array("points")[0])

    def piece(self, select: Select, rank: int | None, last: tuple[int, int] | None, skip: int) -> Answer:
        """The piece that begins at `last` in the order of the answer, None = at the beginning, without the first
        `skip` points."""
        binds = Binds()
        where = self._where(rank, binds)
        if last is not None:
            first, second = ("step", TIME) if self._order[0] == "step" else (TIME, "step")
            low, beside = binds.whole(last[0]), binds.whole(last[1])
            where += f" AND {first} >= {low} AND ({first} > {low} OR {second} >= {beside})"
        # By the order of the table where that will do: then a piece reads little more than itself.
        order = "namespace, run_id, key, step, ts" if self._order[0] == "step" else "ts, step"
        sql = (
            f"SELECT step, {TIME} AS time, value FROM {self._points(binds)} WHERE {where}"
            f" ORDER BY {order}, {self.query.tables.log_order}, {_LAST_TIE} LIMIT {PIECE_POINTS} OFFSET {skip}"
        )
        return select(Statement(sql, binds.values, wide=True))

    def read(self, select: Select, holding: Holding) -> Iterator[metric_pb2.ReadMetricResponse]:
        """All of it, rank by rank where that is asked for."""
        for rank in self.ranks(select) if self.query.per_rank else [None]:
            yield from self._read(select, rank, holding)

    def _read(self, select: Select, rank: int | None, holding: Holding) -> Iterator[metric_pb2.ReadMetricResponse]:
        last: tuple[int, int] | None = None
        skip = 0
        if self.query.last:
            skip = max(0, self.count(select, rank) - self.query.last)
        while True:
            answer = self.piece(select, rank, last, skip)
            holding.bytes = answer_size(answer)
            steps, times, values = (answer.array(name) for name in ("step", "time", "value"))
            shown = times - self.starts.get(self.name[0], 0) if self.query.axis == "relative" else times
            yield from chunks(self.name, (steps, shown, values), rank)
            if answer.rows < PIECE_POINTS:
                return
            first, second = (answer.array(name) for name in self._order)
            end = int(first[-1]), int(second[-1])
            same = int(np.count_nonzero((first == end[0]) & (second == end[1])))
            if same == answer.rows:
                # There may be more of them before the piece: go on by the place that is known.
                skip += same
            else:
                last, skip = end, same
