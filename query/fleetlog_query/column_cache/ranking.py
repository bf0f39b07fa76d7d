"""The order of runs over columns that are held: the first so many behind a row, found without sorting the others.

Each key of the order becomes a class, a number and a text, as `sql/order_by` says; then come the start and the id. A
component is an array that ascends in the order, over all runs of the frame.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetlog_query.column_cache.columns import Source, present
from fleetlog_query.column_cache.conditions import COMPARED_TEXTS, ColumnConditions, NotByColumns, number_source
from fleetlog_query.column_cache.frame import Frame, Runs
from fleetlog_query.column_cache.labels import Labels, Places
from fleetlog_query.language.fields import ATTRIBUTES
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import EXACT, Key, TextOf
from fleetlog_query.series.series_rows import Select

Row = Sequence[Any]
"""Values of one row as tokens have them: class, number and text of each key, the start, and the id."""
_SORTED = 1_024
"""Maximum of runs that are sorted as they are."""
_INFINITE_REST = "1000"
"""What `exact_rest_sql` says of numbers without an end."""


@dataclass(frozen=True)
class _Component:
    """An array that ascends in the order, and where a value of a token stands in it."""

    values: npt.NDArray[Any]
    place_of: Callable[[Row], float]


def sources_of_order(keys: Sequence[OrderKey]) -> set[Source]:
    """Columns that an order asks for. NotByColumns."""
    found: set[Source] = set()
    for key in keys:
        value = key.value
        if value == Key("attributes", "run_id"):
            continue
        if isinstance(value, TextOf):
            raise NotByColumns
        if isinstance(value, Key) and value.kind == "params":
            found |= {Source(value, is_text=False), Source(value, is_text=True)}
        elif _is_text(key) and isinstance(value, Key):
            found.add(Source(value, is_text=True))
        else:
            found |= {number_source(source) for source in key.sources}
    return found


class ColumnOrder:
    """The order of the runs of a frame, which is held meanwhile. NotByColumns where a statement has to tell."""

    def __init__(self, keys: Sequence[OrderKey], runs: Runs, frame: Frame, select: Select) -> None:
        self._runs = runs
        self._components: list[_Component] = []
        self._texts: list[Callable[[int], tuple[int, float, str]]] = []
        numbers = ColumnConditions(frame, select)
        for place, key in enumerate(keys):
            if key.value == Key("attributes", "run_id"):
                self._add_ids(key, 3 * place)
            elif _is_text(key) and isinstance(key.value, Key):
                self._add(key, 3 * place, None, frame.texts(key.value, select))
            elif isinstance(key.value, TextOf):
                # Of params the columns have numbers first.
                raise NotByColumns
            else:
                found = numbers.numbers(key.value)
                if isinstance(found, float):
                    raise NotByColumns
                is_param = isinstance(key.value, Key) and key.value.kind == "params"
                texts = frame.texts(key.value, select) if is_param and isinstance(key.value, Key) else None
                if is_param and (np.abs(found[np.isfinite(found)]) >= EXACT).any():
                    # Their order is not that of their doubles alone.
                    raise NotByColumns
                self._add(key, 3 * place, found, texts)
        start = 3 * len(keys)
        self._components.append(_Component(-runs.starts, lambda row: -row[start]))
        self._components.append(_Component(np.arange(len(runs.ids)), lambda row: self._place_of_id(row[start + 1])))

    def behind(self, places: Places, last: Row) -> Places:
        """Places, among these, that come behind a row."""
        found, equal = np.zeros(len(places), bool), np.ones(len(places), bool)
        for component in self._components:
            values, bound = component.values[places], component.place_of(last)
            found |= equal & (values > bound)
            equal &= values == bound
        return places[found]

    def first(self, places: Places, count: int) -> list[int]:
        """Places, among these, that come first, in order: `count` of them at most."""
        sure: list[Places] = []
        left, rest = places, count
        for component in self._components:
            if len(left) <= max(rest, _SORTED):
                break
            values = component.values[left]
            bound = np.partition(values, rest - 1)[rest - 1]
            before = values < bound
            sure.append(left[before])
            rest -= len(sure[-1])
            left = left[values == bound]
        some = np.concatenate([*sure, left])
        order = np.lexsort([component.values[some] for component in reversed(self._components)])
        found: list[int] = some[order[:count]].tolist()
        return found

    def row(self, place: int) -> list[Any]:
        """Values of a row, for a token."""
        values = [value for told in self._texts for value in told(place)]
        return [*values, int(self._runs.starts[place]), self._runs.ids.at(place).hex()]

    def _add(self, key: OrderKey, at: int, numbers: npt.NDArray[np.float64] | None, labels: Labels | None) -> None:
        """Class, number and text of a key whose class is at a place of a row."""
        count = len(self._runs.ids)
        there = np.zeros(count, bool) if labels is None else labels.codes >= 0
        classes = np.where(there, 2, 3).astype(np.int8)
        sign = -1.0 if key.descending else 1.0
        if numbers is not None:
            known = present(numbers)
            classes[known] = np.isnan(numbers[known])
            numbers = np.where(classes == 0, numbers, 0.0)
        self._components.append(_Component(classes, lambda row: row[at]))
        if numbers is not None:
            self._components.append(_Component(numbers * sign, lambda row: row[at + 1] * sign))
        ordered: list[str] = []
        if labels is not None:
            if len(labels.texts) > COMPARED_TEXTS:
                raise NotByColumns
            # Code points have the order of their UTF-8 bytes.
            ordered = sorted(labels.texts)
            ranks = np.empty(len(ordered) + 1, np.int32)
            ranks[
                np.fromiter(map({text: code for code, text in enumerate(labels.texts)}.__getitem__, ordered), np.intp)
            ] = np.arange(len(ordered))
            ranked = np.where(classes == 2, ranks[labels.codes], 0) * int(sign)
            self._components.append(_Component(ranked, lambda row: _rank_of(row, at, ordered) * sign))

        def told(place: int) -> tuple[int, float, str]:
            class_, number = int(classes[place]), 0.0 if numbers is None else float(numbers[place])
            text = (labels.at(place) or "") if class_ == 2 and labels is not None else ""
            is_endless = class_ == 0 and labels is not None and np.isinf(number)
            return class_, number, _INFINITE_REST if is_endless else text

        self._texts.append(told)

    def _add_ids(self, key: OrderKey, at: int) -> None:
        sign = -1 if key.descending else 1
        places = np.arange(len(self._runs.ids)) * sign
        self._components.append(_Component(places, lambda row: self._place_of_id(row[at + 2]) * sign))
        self._texts.append(lambda place: (2, 0.0, self._runs.ids.at(place).hex()))

    def _place_of_id(self, run_id: str) -> float:
        """Place of an id; between two places for one that is not there."""
        raw = np.frombuffer(bytes.fromhex(run_id), "V16")
        ids = self._runs.ids
        place = int(np.searchsorted(ids.raw.view("S16"), raw.view("S16"))[0])
        return place if place < len(ids) and ids.at(place) == raw.tobytes() else place - 0.5


def _rank_of(row: Row, at: int, ordered: Sequence[str]) -> float:
    if row[at] != 2:
        return 0.0
    place = bisect_left(ordered, row[at + 2])
    return place if place < len(ordered) and ordered[place] == row[at + 2] else place - 0.5


def _is_text(key: OrderKey) -> bool:
    if not isinstance(key.value, Key):
        return False
    return key.value.kind == "tags" or (key.value.kind == "attributes" and ATTRIBUTES[key.value.key] in ("text", "id"))
