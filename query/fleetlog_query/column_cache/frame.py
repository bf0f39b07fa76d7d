"""Columns of the runs of some experiments: what one question read is there for the next.

Runs of a fleet are mostly old and at rest. Only those that changed since a column was read are read again. Columns are
replaced, never written to: whoever got one may keep it.
"""

from __future__ import annotations

import threading
from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Statement
from fleetlog_proto.v1 import scope_pb2

from fleetlog_query.changes.feed import Changes
from fleetlog_query.column_cache.columns import Column, Source
from fleetlog_query.column_cache.labels import Labels, Places
from fleetlog_query.column_cache.run_ids import Ids
from fleetlog_query.column_cache.splice import Move, ids_of, stretches, with_new
from fleetlog_query.language.values import Key, Series
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_keys import RunKeys, run_keys_statement
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope

Real = npt.NDArray[np.float64]
FEW = 256
"""So many changed runs are read one by one, more in stretches."""
_TEXT_BYTES = 100
"""About what a text takes, and its place in the tables of texts; and an id of a run that changed."""


@dataclass(frozen=True)
class Runs:
    """All runs by id, deleted ones too, as of a look: their starts in Unix milliseconds, and which are deleted."""

    look: int
    ids: Ids
    starts: npt.NDArray[np.int64]
    deleted: npt.NDArray[np.bool_]


class Frame:
    """The columns of one scope, as they are now. Thread-safe: `lock` is to be held over one question."""

    def __init__(self, scope: Scope, changes: Changes | None = None) -> None:
        """`changes`: None when nothing of the scope can change."""
        self._scope = scope
        self._changes = changes
        self.lock = threading.Lock()
        self._runs: Runs | None = None
        self._columns: dict[Source, Column] = {}
        self._asked: dict[Source, int] = {}
        """By the look at which a column was asked for last."""

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        if self._runs is None:
            return 0
        columns = list(self._columns.values())
        ids = {id(one): len(one) for one in (self._runs.ids, *(column.ids for column in columns))}
        texts = sum(len(one.texts) for one in columns)
        rows = 9 * len(self._runs.ids) + sum(one.values.nbytes for one in columns)
        changed = 0 if self._changes is None else self._changes.size
        return 16 * sum(ids.values()) + rows + _TEXT_BYTES * (texts + changed)

    def look(self, timeout_seconds: float) -> None:
        """What is asked next is as of this moment, or later. TimedOut."""
        if self._changes is not None:
            self._changes.look(timeout_seconds)

    def holds(self, key: Key | Series) -> bool:
        """Whether its numbers were read before."""
        return Source(key, False) in self._columns

    def holds_text(self, key: Key) -> bool:
        """Whether its texts were read before."""
        return Source(key, True) in self._columns

    def runs(self, select: Select) -> Runs:
        """The runs; columns that are read next are of these."""
        held = self._runs
        changed = None if held is None else self._since(held.look)
        if held is not None and changed is not None:
            self._runs = self._renewed(held, ids_of(changed), select) if changed else held
        else:
            self._runs = _read(_runs_statement(self._scope, wide=True), self._look, select)
        return self._runs

    def numbers(self, source: Key | Series, select: Select) -> Real:
        """A value of each of the `runs`, NaN for none. Not of windows."""
        numbers: Real = self._column(Source(source, False), select).values
        return numbers

    def texts(self, key: Key, select: Select) -> Labels:
        """A param, tag or attribute of each of the `runs` as text."""
        column = self._column(Source(key, True), select)
        return Labels(column.values, column.texts)

    @property
    def _look(self) -> int:
        return 0 if self._changes is None else self._changes.number

    def _since(self, look: int) -> Set[bytes] | None:
        return frozenset() if self._changes is None else self._changes.since(look)

    def _renewed(self, held: Runs, changed: Ids, select: Select) -> Runs:
        scope, wide = self._of(changed, held.ids)
        fresh = _read(_runs_statement(scope, wide=wide), self._look, select)
        ids = with_new(held.ids, fresh.ids, changed)
        move = Move.of(held.ids, ids, changed)
        if move is None:
            return fresh if wide else _read(_runs_statement(self._scope, wide=True), self._look, select)
        starts, deleted = move(held.starts, 0), move(held.deleted, False)
        rows, places = ids.meet(fresh.ids)
        starts[places], deleted[places] = fresh.starts[rows], fresh.deleted[rows]
        return Runs(self._look, ids, starts, deleted)

    def _of(self, changed: Ids, ids: Ids) -> tuple[Scope, bool]:
        """Where what changed is read, and whether that is work for every core."""
        if len(changed) <= FEW:
            return replace(self._scope, run_ids=tuple(changed.at(place) for place in range(len(changed)))), False
        some = stretches(ids, changed)
        return (self._scope, True) if some is None else (replace(self._scope, stretches=some), False)

    def _column(self, source: Source, select: Select) -> Column:
        runs = self._runs or self.runs(select)
        self._asked[source] = self._look
        held = self._columns.get(source)
        if held is not None and len(held.texts) > 2 * len(runs.ids) + 1_000:
            # Most of the texts are no run's any more.
            held = None
        changed = None if held is None else self._since(held.look)
        if held is None or changed is None:
            self._columns[source] = self._whole(source, runs, select)
        elif changed and source.key is not None and len(changed) <= FEW:
            self._renew_by_run(source, held.look, runs, ids_of(changed), select)
        elif changed:
            among = ids_of(changed)
            column = held.moved(source, self._look, runs.ids, among)
            scope, wide = self._of(among, runs.ids)
            self._columns[source] = (
                self._whole(source, runs, select)
                if column is None
                else column.put(source, select(source.statement(scope, wide=wide)))
            )
        return self._columns[source]

    def _whole(self, source: Source, runs: Runs, select: Select) -> Column:
        answer = select(source.statement(self._scope, wide=True))
        return Column.empty(source, self._look, runs.ids).put(source, answer)

    def _renew_by_run(self, source: Source, look: int, runs: Runs, changed: Ids, select: Select) -> None:
        """A column, and those that were asked for when it was: one statement reads the changed runs for all of them."""
        columns = {
            one: held
            for one, held in self._columns.items()
            if one == source or (one.key is not None and held.look == look and self._asked[one] >= look)
        }
        mask = ReadMask()
        for one in columns:
            mask = mask.with_key(one.key) if one.key is not None else mask
        run_ids = [changed.at(place) for place in range(len(changed))]
        values = RunKeys(select(run_keys_statement(self._scope.namespace, run_ids, mask)), mask)
        for one, held in columns.items():
            column = held.moved(one, self._look, runs.ids, changed)
            self._columns[one] = self._whole(one, runs, select) if column is None else column.put_by_run(one, values)


def shown_places(runs: Runs, deleted_view: int) -> Places | None:
    """The runs that a DeletedView shows; None = all."""
    if deleted_view == scope_pb2.DELETED_VIEW_DELETED:
        return np.flatnonzero(runs.deleted)
    if deleted_view == scope_pb2.DELETED_VIEW_ALL or not runs.deleted.any():
        return None
    return np.flatnonzero(~runs.deleted)


def _runs_statement(scope: Scope, *, wide: bool) -> Statement:
    binds = Binds()
    sql = (
        "SELECT run_id, toUnixTimestamp64Milli(start_time) AS start, deleted"
        f" FROM {scope.runs(binds)} WHERE {scope.sql(binds)} ORDER BY run_id"
    )
    return Statement(sql, binds.values, wide=wide)


def _read(statement: Statement, look: int, select: Select) -> Runs:
    answer = select(statement)
    if not answer.rows:
        return Runs(look, Ids.of(answer), np.empty(0, np.int64), np.empty(0, bool))
    return Runs(look, Ids.of(answer), answer.array("start").astype(np.int64), answer.array("deleted").astype(bool))
