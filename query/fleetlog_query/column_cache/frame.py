"""Columns of the runs of some experiments: what one question read is there for the next.

Runs of a fleet are mostly old and at rest. Only those that changed since a column was read are read again. Columns are
replaced, never written to: whoever got one may keep it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Answer, Statement

from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.column_cache.columns import (
    MISSING,
    Column,
    Source,
    keys_statement,
    text_size_statement,
    text_sizes_statement,
)
from fleetlog_query.column_cache.labels import Labels, Places
from fleetlog_query.column_cache.run_ids import Ids
from fleetlog_query.column_cache.splice import Move, ids_of, stretches, with_new
from fleetlog_query.language.fields import KIND_NUMBERS
from fleetlog_query.language.values import Key, Series
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_keys import RunKeys, run_keys_statement
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.scope import Scope

Real = npt.NDArray[np.float64]
NO_ROWS = Answer({}, 0, 0, 0)
FEW = 256
"""Maximum of changed runs that are read by id; more are read by ranges of ids."""
MANY_KEYS = 4
"""Columns of so many keys that are not held are read by one statement; each by its own costs 20 ms of analysis."""
TEXT_BYTES = 16 << 20
"""Maximum of the bytes of a column's texts that searches may have read."""
_TEXT_BYTES = 100
"""About what a text takes, and its place in the tables of texts; and an id of a run that changed."""


_ATTRIBUTES: Mapping[str, type[np.generic]] = {
    "start_time": np.int64, "end_time": np.int64, "state": np.uint8, "experiment_id": np.uint32, "deleted": np.uint8,
}  # fmt: skip
"""What is held of every run, by the names of filters; times are Unix milliseconds, 0 = has not ended."""


@dataclass(frozen=True)
class Runs:
    """All runs by id, deleted ones too, as of a look, with the attributes that are numbers."""

    look: int
    ids: Ids
    attributes: Mapping[str, npt.NDArray[Any]]
    missing: npt.NDArray[np.bool_] | None = None
    """Which of them were not there yet; None = none."""

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Unix milliseconds."""
        return self.attributes["start_time"]

    @property
    def deleted(self) -> npt.NDArray[np.uint8]:
        """1 for runs that are deleted, PURGED for those that are gone for good, 0 for others."""
        return self.attributes["deleted"]

    def as_of(self, changed: Ids, then: Runs) -> Runs:
        """With what the changed ones were then; those that are not in it were not there."""
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


class Frame:
    """The columns of one scope, as they are now. Thread-safe: `lock` is to be held over one question."""

    def __init__(self, scope: Scope, changes: ChangeFeed | None = None) -> None:
        """`changes`: None when nothing of the scope can change."""
        self._scope = scope
        self._changes = changes
        self.lock = threading.Lock()
        self._runs: Runs | None = None
        self._columns: OrderedDict[Source, Column] = OrderedDict()
        """The one that was asked for last is the last."""
        self._asked: dict[Source, int] = {}
        """By the look at which a column was asked for last."""
        self._large: set[Source] = set()
        """Columns whose texts are too long to be held."""

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        if self._runs is None:
            return 0
        columns = list(self._columns.values())
        ids = {id(one): len(one) for one in (self._runs.ids, *(column.ids for column in columns))}
        texts = sum(len(one.texts) for one in columns)
        rows = sum(one.nbytes for one in self._runs.attributes.values()) + sum(one.values.nbytes for one in columns)
        changed = 0 if self._changes is None else self._changes.size
        characters = sum(one.characters for one in columns)
        return 16 * sum(ids.values()) + rows + characters + _TEXT_BYTES * (texts + changed)

    def look(self) -> None:
        """What is asked next is as of this moment, or later. TimedOut."""
        if self._changes is not None:
            self._changes.look()

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
        looks = {self._runs.look, *(self._columns[one].look for one in sources if one in self._columns)}
        return all(self._since(look) == frozenset() for look in looks)

    def holds(self, source: Source) -> bool:
        """True if its column was read before, or is one of every run."""
        return source in self._columns or _attribute_of(source) is not None

    def fit(self, sources: Collection[Source], select: Select) -> bool:
        """True if each column is held, or may be read: its texts are of a bounded size together."""
        unknown = [source for source in sources if source.is_text and not self.holds(source)]
        if not self._large.isdisjoint(unknown):
            return False
        together = {source.key: source for source in unknown if source.key is not None}
        if len(together) >= MANY_KEYS:
            answer = select(text_sizes_statement(together.keys(), self._scope))
            found = zip(answer.array("kind").tolist(), answer.texts("key"), answer.array("size").tolist(), strict=True)
            sizes = {(kind, name): size for kind, name, size in found}
            large = {of for key, of in together.items() if sizes.get((KIND_NUMBERS[key.kind], key.key), 0) > TEXT_BYTES}
            self._large |= large
            unknown = [source for source in unknown if source.key is None]
        for source in unknown:
            if int(select(text_size_statement(source, self._scope)).array("size")[0]) > TEXT_BYTES:
                self._large.add(source)
        return self._large.isdisjoint(sources)

    def runs(self, select: Select) -> Runs:
        """The runs; columns that are read next are of these."""
        held = self._runs
        changed = None if held is None else self._since(held.look)
        if held is not None and changed is not None:
            self._runs = self._renewed(held, ids_of(changed), select) if changed else held
        else:
            self._runs = _read(_runs_statement(self._scope, wide=True), self._look, select)
        return self._runs

    def read(self, sources: Collection[Source], select: Select) -> None:
        """Read the runs and these columns, or what changed of them."""
        runs = self.runs(select)
        missing = [source for source in sources if source.key is not None and source not in self._columns]
        if len(missing) >= MANY_KEYS:
            mask = _mask_of(missing)
            keys = {source.key for source in missing if source.key is not None}
            values = RunKeys(select(keys_statement(keys, self._scope)), mask)
            for source in missing:
                self._columns[source] = Column.empty(source, self._look, runs.ids).put_by_run(source, values)
        for source in sources:
            if _attribute_of(source) is None:
                self._column(source, select)

    def as_of(self, position: AsOf, changed: Set[bytes], sources: Collection[Source], select: Select) -> Frame:
        """The runs and these columns, which were read, with what the runs that changed since had at a position."""
        runs, ids = self.runs(select), ids_of(changed)
        scope = replace(self._scope, run_ids=tuple(ids.at(place) for place in range(len(ids))), as_of=position)
        then = Frame(scope)
        then._runs = runs.as_of(ids, _read(_runs_statement(scope, wide=False), 0, select))
        mask = _mask_of(sources)
        values = RunKeys(
            select(run_keys_statement(scope.namespace, scope.run_ids, mask, position)) if mask.kinds else NO_ROWS, mask
        )
        for source in sources:
            if _attribute_of(source) is None:
                column = self._column(source, select).without(source, ids)
                then._columns[source] = (
                    column.put(source, select(source.statement(scope, wide=False)))
                    if source.key is None
                    else column.put_by_run(source, values)
                )
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
        rows, places = ids.intersect(fresh.ids)
        attributes = {}
        for name, column in held.attributes.items():
            attributes[name] = move(column, 0)
            attributes[name][places] = fresh.attributes[name][rows]
        return Runs(self._look, ids, attributes)

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
        self._columns.move_to_end(source)
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
        mask = _mask_of(columns)
        run_ids = [changed.at(place) for place in range(len(changed))]
        values = RunKeys(select(run_keys_statement(self._scope.namespace, run_ids, mask)), mask)
        for one, held in columns.items():
            column = held.moved(one, self._look, runs.ids, changed)
            self._columns[one] = self._whole(one, runs, select) if column is None else column.put_by_run(one, values)


def shown_places(runs: Runs, deleted_view: int) -> Places | None:
    """The runs that a DeletedView shows; None = all."""
    shown = DeletedView.of(deleted_view).mask(runs.deleted)
    if runs.missing is not None:
        shown = shown & ~runs.missing
    return None if shown.all() else np.flatnonzero(shown)


def _mask_of(sources: Iterable[Source]) -> ReadMask:
    """The keys of columns that are read by run."""
    mask = ReadMask()
    for source in sources:
        mask = mask.with_key(source.key) if source.key is not None else mask
    return mask


def _runs_statement(scope: Scope, *, wide: bool) -> Statement:
    binds = Binds()
    sql = (
        "SELECT run_id, toUnixTimestamp64Milli(start_time) AS start_millis, deleted, state, experiment,"
        " toUnixTimestamp64Milli(end_time) AS end_millis"
        f" FROM {scope.runs(binds)} WHERE {scope.sql(binds)} ORDER BY run_id"
    )
    return Statement(sql, binds.values, wide=wide)


def _read(statement: Statement, look: int, select: Select) -> Runs:
    answer = select(statement)
    names = {"start_time": "start_millis", "end_time": "end_millis", "experiment_id": "experiment"}
    attributes = {
        name: answer.array(names.get(name, name)).astype(type_) if answer.rows else np.empty(0, type_)
        for name, type_ in _ATTRIBUTES.items()
    }
    return Runs(look, Ids.of(answer), attributes)


def _attribute_of(source: Source) -> str | None:
    """Name of the attribute that is held of every run; None for any other column."""
    value = source.value
    if source.is_text or not isinstance(value, Key) or value.kind != "attributes":
        return None
    return value.key if value.key in _ATTRIBUTES else None
