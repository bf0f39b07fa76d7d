"""Columns of the runs of some experiments: what one question read is there for the next.

Runs of a fleet are mostly old and at rest. Only those that changed since a column was read are read again. Columns are
replaced, never written to: whoever got one may keep it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Statement

from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.changes.held import Held
from fleetlog_query.column_cache import column_reads
from fleetlog_query.column_cache.column_reads import read_columns, text_sizes
from fleetlog_query.column_cache.columns import MISSING, Column, Source
from fleetlog_query.column_cache.labels import Labels, Places
from fleetlog_query.column_cache.run_ids import Ids
from fleetlog_query.column_cache.splice import Move, ids_of, stretches, with_new
from fleetlog_query.language.values import Key, Series
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.scope import Scope

Real = npt.NDArray[np.float64]
TEXT_BYTES = 16 << 20
"""Maximum of the bytes of a column's texts that searches may have read."""
_TEXT_BYTES = 100
"""Bytes of a text and its place in the tables of texts, about; and of an id of a run that changed."""


_ATTRIBUTES: Mapping[str, type[np.generic]] = {
    "start_time": np.int64, "end_time": np.int64, "state": np.uint8, "experiment_id": np.uint32, "deleted": np.uint8,
}  # fmt: skip
"""Attributes that are held of every run, by the names of filters; times are Unix milliseconds, 0 = has not ended."""


@dataclass(frozen=True)
class Runs:
    """All runs by id, deleted ones too, as of a generation of the feed, with the attributes that are numbers."""

    generation: int
    ids: Ids
    attributes: Mapping[str, npt.NDArray[Any]]
    missing: npt.NDArray[np.bool_] | None = None
    """True for those that were not there yet; None = none."""

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Unix milliseconds."""
        return self.attributes["start_time"]

    @property
    def deleted(self) -> npt.NDArray[np.uint8]:
        """1 for runs that are deleted, PURGED for those that are gone for good, 0 for others."""
        return self.attributes["deleted"]

    def as_of(self, changed: Ids, then: Runs) -> Runs:
        """Runs with what the changed ones were then; those that are not in it were not there."""
        _, places = self.ids.intersect(changed)
        rows, found = self.ids.intersect(then.ids)
        missing = np.zeros(len(self.ids), bool)
        missing[places], missing[found] = True, False
        attributes = {name: column.copy() for name, column in self.attributes.items()}
        for name, column in attributes.items():
            column[found] = then.attributes[name][rows]
        return Runs(0, self.ids, attributes, missing)

    def numbers(self, name: str) -> Real:
        """An attribute as filters compare it, MISSING for none."""
        values = self.attributes[name].astype(np.float64)
        return np.where(self.attributes[name] == 0, MISSING, values) if name == "end_time" else values


class ScopeColumns:
    """Columns of one scope, as they are now. For one thread at a time."""

    def __init__(self, scope: Scope, changes: ChangeFeed | None = None) -> None:
        """`changes`: None when nothing of the scope can change."""
        self._scope = scope
        self._changes = changes
        self._runs: Runs | None = None
        self._columns: OrderedDict[Source, Column] = OrderedDict()
        """The one that was asked for last is the last."""
        self._asked: dict[Source, int] = {}
        """Generation in which each column was asked for last."""
        self._large: set[Source] = set()
        """Columns whose texts are too long to be held."""

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that it takes, about."""
        if self._runs is None:
            return 0
        columns = list(self._columns.values())
        ids = {id(one): len(one) for one in (self._runs.ids, *(column.ids for column in columns))}
        texts = sum(len(one.texts) for one in columns)
        rows = sum(one.nbytes for one in self._runs.attributes.values()) + sum(one.values.nbytes for one in columns)
        changed = 0 if self._changes is None else self._changes.size
        characters = sum(one.characters for one in columns)
        return 16 * sum(ids.values()) + rows + characters + _TEXT_BYTES * (texts + changed)

    def let_go(self, size_bytes: int) -> None:
        """Hold no more than that: the columns that were asked for longest ago go. The runs stay."""
        while self._columns and self.size_bytes > size_bytes:
            self._columns.popitem(last=False)

    @property
    def length(self) -> int | None:
        """Count of its runs when they were read last; None before."""
        return None if self._runs is None else len(self._runs.ids)

    def is_current(self, sources: Collection[Source]) -> bool:
        """True if the runs and these columns are held, and nothing has changed since they were read."""
        if self._runs is None or not all(map(self.holds, sources)):
            return False
        generations = {
            self._runs.generation,
            *(self._columns[one].generation for one in sources if one in self._columns),
        }
        return all(self._since(one) == frozenset() for one in generations)

    def holds(self, source: Source) -> bool:
        """True if its column was read before, or is one of every run."""
        return source in self._columns or _attribute_of(source) is not None

    def fit(self, sources: Collection[Source], select: Select) -> bool:
        """True if each column is held, or may be read: its texts are of a bounded size together."""
        unknown = [source for source in sources if source.is_text and not self.holds(source)]
        if not self._large.isdisjoint(unknown):
            return False
        sizes = text_sizes(unknown, self._scope, select)
        self._large |= {source for source, size in sizes.items() if size > TEXT_BYTES}
        return self._large.isdisjoint(sources)

    def runs(self, select: Select) -> Runs:
        """The runs; columns that are read next are of these."""
        held = self._runs
        changed = None if held is None else self._since(held.generation)
        if held is not None and changed is not None:
            self._runs = self._renewed(held, ids_of(changed), select) if changed else held
        else:
            self._runs = _read(_runs_statement(self._scope, wide=True), self._generation, select)
        return self._runs

    def read(self, sources: Collection[Source], select: Select) -> None:
        """Read the runs and these columns, or what changed of them."""
        runs, whole, stale = self.runs(select), list[Source](), dict[int, list[Source]]()
        for source in dict.fromkeys(sources):
            if _attribute_of(source) is None:
                self._asked[source] = self._generation
                generation = self._stale_since(source, runs)
                if generation is None:
                    whole.append(source)
                elif generation != self._generation:
                    stale.setdefault(generation, []).append(source)
        for generation, wanted in stale.items():
            whole += self._renew(generation, wanted, runs, select)
        if whole:
            empty = {source: Column.empty(source, self._generation, runs.ids) for source in whole}
            self._columns |= read_columns(empty, self._scope, select, wide=True)
        for source in sources:
            if source in self._columns:
                self._columns.move_to_end(source)

    def as_of(self, position: AsOf, changed: Set[bytes], sources: Collection[Source], select: Select) -> ScopeColumns:
        """The runs and these columns, which were read, with what the runs that changed since had at a position."""
        runs, ids = self.runs(select), ids_of(changed)
        scope = replace(self._scope, run_ids=tuple(ids.at(place) for place in range(len(ids))), as_of=position)
        then = ScopeColumns(scope)
        then._runs = runs.as_of(ids, _read(_runs_statement(scope, wide=False), 0, select))
        self.read(sources, select)
        without = {source: self._columns[source].without(source, ids) for source in sources if source in self._columns}
        then._columns |= read_columns(without, scope, select, wide=False)
        return then

    def numbers(self, source: Key | Series, select: Select) -> Real:
        """A value of each of the `runs`, MISSING for none. Not of windows."""
        wanted = Source(source, is_text=False)
        attribute = _attribute_of(wanted)
        if attribute is not None:
            return (self._runs or self.runs(select)).numbers(attribute)
        numbers: Real = self._column(wanted, select).values
        return numbers

    def texts(self, key: Key, select: Select) -> Labels:
        """A param, tag or attribute of each of the `runs` as text."""
        column = self._column(Source(key, True), select)
        return Labels(column.values, column.texts)

    @property
    def _generation(self) -> int:
        return 0 if self._changes is None else self._changes.generation

    def _since(self, generation: int) -> Set[bytes] | None:
        return frozenset() if self._changes is None else self._changes.since(generation)

    def _renewed(self, held: Runs, changed: Ids, select: Select) -> Runs:
        scope, wide = self._of(changed, held.ids)
        fresh = _read(_runs_statement(scope, wide=wide), self._generation, select)
        ids = with_new(held.ids, fresh.ids, changed)
        move = Move.of(held.ids, ids, changed)
        if move is None:
            return fresh if wide else _read(_runs_statement(self._scope, wide=True), self._generation, select)
        rows, places = ids.intersect(fresh.ids)
        attributes = {}
        for name, column in held.attributes.items():
            attributes[name] = move(column, 0)
            attributes[name][places] = fresh.attributes[name][rows]
        return Runs(self._generation, ids, attributes)

    def _of(self, changed: Ids, ids: Ids) -> tuple[Scope, bool]:
        """Scope in which what changed is read, and whether that is work for every core."""
        if len(changed) <= column_reads.FEW:
            return replace(self._scope, run_ids=tuple(changed.at(place) for place in range(len(changed)))), False
        some = stretches(ids, changed)
        return (self._scope, True) if some is None else (replace(self._scope, stretches=some), False)

    def _column(self, source: Source, select: Select) -> Column:
        self.read([source], select)
        return self._columns[source]

    def _stale_since(self, source: Source, runs: Runs) -> int | None:
        """The generation behind which runs changed of which a column has values; None = it is to be read as a whole."""
        held = self._columns.get(source)
        # Of too many texts most are no run's any more.
        if held is None or len(held.texts) > 2 * len(runs.ids) + 1_000:
            return None
        changed = self._since(held.generation)
        if changed is None:
            return None
        return held.generation if changed else self._generation

    def _renew(self, generation: int, wanted: Sequence[Source], runs: Runs, select: Select) -> list[Source]:
        """Read what changed since a generation of columns as of it. Returns those that are to be read as a whole."""
        changed = ids_of(self._since(generation) or frozenset())
        scope, wide = self._of(changed, runs.ids)
        if scope.run_ids:
            # One statement does for all that were asked for when these were.
            also = (one for one, held in self._columns.items() if one.key is not None and held.generation == generation)
            wanted = list(dict.fromkeys((*wanted, *(one for one in also if self._asked[one] >= generation))))
        moved = {one: self._columns[one].moved(one, self._generation, runs.ids, changed) for one in wanted}
        columns = {one: column for one, column in moved.items() if column is not None}
        self._columns |= read_columns(columns, scope, select, wide=wide)
        return [one for one in wanted if one not in columns]


HeldColumns = Held[Scope, ScopeColumns]
"""Columns of the scopes asked for last; 1,000,000 runs take 38 MB, and each column of them 4 or 8 MB."""


def shown_places(runs: Runs, deleted_view: int) -> Places | None:
    """The runs that a DeletedView shows; None = all."""
    shown = DeletedView.of(deleted_view).mask(runs.deleted)
    if runs.missing is not None:
        shown = shown & ~runs.missing
    return None if shown.all() else np.flatnonzero(shown)


def _runs_statement(scope: Scope, *, wide: bool) -> Statement:
    binds = Binds()
    sql = (
        "SELECT run_id, toUnixTimestamp64Milli(start_time) AS start_millis, deleted, state, experiment,"
        " toUnixTimestamp64Milli(end_time) AS end_millis"
        f" FROM {scope.runs(binds)} WHERE {scope.sql(binds)} ORDER BY run_id"
    )
    return Statement(sql, binds.values, wide=wide)


def _read(statement: Statement, generation: int, select: Select) -> Runs:
    answer = select(statement)
    names = {"start_time": "start_millis", "end_time": "end_millis", "experiment_id": "experiment"}
    attributes = {
        name: answer.array(names.get(name, name)).astype(type_) if answer.rows else np.empty(0, type_)
        for name, type_ in _ATTRIBUTES.items()
    }
    return Runs(generation, Ids.of(answer), attributes)


def _attribute_of(source: Source) -> str | None:
    """Name of the attribute that is held of every run; None for any other column."""
    value = source.value
    if source.is_text or not isinstance(value, Key) or value.kind != "attributes":
        return None
    return value.key if value.key in _ATTRIBUTES else None
