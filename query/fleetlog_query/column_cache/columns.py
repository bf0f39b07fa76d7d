"""A value of each run of a scope: how it is read, and how what was read anew is put into what was held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Answer, Statement

from fleetlog_query.column_cache.labels import Places
from fleetlog_query.column_cache.run_ids import Ids
from fleetlog_query.column_cache.splice import Move
from fleetlog_query.language.values import Key, Series
from fleetlog_query.runs.run_keys import RunKeys
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope, attribute_text_sql, attrs_of
from fleetlog_query.sql.value_rows import value_rows

BY_RUN = ("params", "tags", "metrics")
"""Kinds of which some runs' values are read where all of a run is."""
MISSING = np.array([0x7FF8_0000_0000_0001], np.int64).view(np.float64)[0]
"""Number of a run without one: a NaN as any other, but for its bits. NaN that is a value has those of `np.nan`."""
_MISSING_BITS = np.float64(MISSING).view(np.int64)


def present(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """True for each number that is one, be it NaN; False for MISSING."""
    known: npt.NDArray[np.bool_] = numbers.view(np.int64) != _MISSING_BITS
    return known


@dataclass(frozen=True)
class Source:
    """Value that is read of each run: a number, or a text."""

    value: Key | Series
    is_text: bool

    @property
    def key(self) -> Key | None:
        """Key that is read by run; None for what is read otherwise."""
        return self.value if isinstance(self.value, Key) and self.value.kind in BY_RUN else None

    def rows(self, scope: Scope, binds: Binds) -> str:
        """run_id and v, or s for a text, of the runs that have one."""
        if not self.is_text:
            return value_rows(self.value, scope, binds)
        if isinstance(self.value, Series):
            raise ValueError("a series has numbers")
        return _text_rows(self.value, scope, binds)

    def statement(self, scope: Scope, *, wide: bool) -> Statement:
        """The rows, by run id."""
        binds = Binds()
        return Statement(f"SELECT * FROM ({self.rows(scope, binds)}) ORDER BY run_id", binds.values, wide=wide)


@dataclass(frozen=True)
class Column:
    """Values of the runs that it was read of, as of a generation: numbers, MISSING for none; places among texts, -1 for
    none."""

    generation: int
    ids: Ids
    values: npt.NDArray[Any]
    texts: Sequence[str] = ()
    """Each once; such as no run has any more may be among them."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Code of each text."""
    characters: int = 0
    """Characters of all texts together."""

    @classmethod
    def empty(cls, source: Source, generation: int, ids: Ids) -> Column:
        """Column of which nothing is known."""
        return cls(generation, ids, np.full(len(ids), *_nothing(source)))

    def moved(self, source: Source, generation: int, ids: Ids, changed: Ids) -> Column | None:
        """Column of later ids, without the values of the changed ones. None when these are not all that came."""
        move = Move.of(self.ids, ids, changed)
        return (
            None
            if move is None
            else replace(self, generation=generation, ids=ids, values=move(self.values, _nothing(source)[0]))
        )

    def without(self, source: Source, some: Ids) -> Column:
        """A copy without the values of some of its runs."""
        _, places = self.ids.intersect(some)
        values = self.values.copy()
        values[places] = _nothing(source)[0]
        return replace(self, values=values)

    def put(self, source: Source, answer: Answer) -> Column:
        """Column with what was read; this one is used up."""
        if not answer.rows:
            return self
        rows, places = self.ids.intersect(Ids.of(answer))
        if not source.is_text:
            self._put_numbers(places, answer.array("v")[rows])
            return self
        given = answer.coded("s")
        return self._with_texts(places, given.texts, given.codes[rows])

    def put_by_run(self, source: Source, some: RunKeys) -> Column:
        """Column with what was read run by run; this one is used up."""
        if source.key is None:
            raise ValueError("not read by run")
        found = some.values(source.key)
        rows, places = self.ids.intersect(Ids(found.run_ids))
        if not source.is_text:
            numeric = found.numeric[rows]
            self._put_numbers(places[numeric], found.numbers[rows[numeric]])
            return self
        return self._with_texts(places, found.texts, rows)

    def _put_numbers(self, places: Places, numbers: npt.NDArray[np.float64]) -> None:
        self.values[places] = np.where(np.isnan(numbers), np.nan, numbers)

    def _with_texts(self, places: Places, texts: Sequence[str], codes: npt.NDArray[Any]) -> Column:
        known = dict(self.places)
        of_code = np.array([known.setdefault(text, len(known)) for text in texts], np.int32)
        self.values[places] = of_code[codes]
        if len(known) == len(self.texts):
            return replace(self, places=known)
        listed = list(known)
        characters = self.characters + sum(map(len, listed[len(self.texts) :]))
        return replace(self, texts=listed, places=known, characters=characters)


def _text_rows(key: Key, scope: Scope, binds: Binds) -> str:
    """run_id and s, of the runs that have one."""
    if key.kind == "attributes":
        text, present = attribute_text_sql(key.key)
        rows = f"FROM {scope.runs(binds)} WHERE {scope.sql(binds)} AND {present}"
    else:
        text, rows = "str", attrs_of(key.kind, key.key, scope, binds)
    return f"SELECT run_id, toLowCardinality({text}) AS s {rows}"


def _nothing(source: Source) -> tuple[float, type[np.int32] | type[np.float64]]:
    return (-1, np.int32) if source.is_text else (MISSING, np.float64)
