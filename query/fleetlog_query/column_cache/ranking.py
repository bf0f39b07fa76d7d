"""The order of runs over columns that are held: the first so many, found without sorting the others.

Each key of the order becomes a class, a number and a text, as `sql/order_by` says; then come the start and the id. A
component is an array that ascends in the order, over all runs of the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetlog_query.column_cache.columns import Source, present
from fleetlog_query.column_cache.conditions import COMPARED_TEXTS, ColumnConditions, NotByColumns, number_source
from fleetlog_query.column_cache.labels import Labels, Places
from fleetlog_query.column_cache.scope_columns import ScopeColumns
from fleetlog_query.language.fields import ATTRIBUTES
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import EXACT, Key, TextOf
from fleetlog_query.series.series_rows import Select

_SORTED = 1_024
"""Maximum of runs that are sorted as they are."""
Component = npt.NDArray[Any]


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
    """The order of the runs of a columns, which is held meanwhile. NotByColumns where a statement has to tell."""

    def __init__(self, keys: Sequence[OrderKey], columns: ScopeColumns, select: Select) -> None:
        self._runs = columns.runs(select)
        self._components: list[Component] = []
        numbers = ColumnConditions(columns, select)
        for key in keys:
            if key.value == Key("attributes", "run_id"):
                self._components.append(np.arange(len(self._runs.ids)) * (-1 if key.descending else 1))
            elif _is_text(key) and isinstance(key.value, Key):
                self._add(key, None, columns.texts(key.value, select))
            elif isinstance(key.value, TextOf):
                # Of params the columns have numbers first.
                raise NotByColumns
            else:
                found = numbers.numbers(key.value)
                if isinstance(found, float):
                    raise NotByColumns
                is_param = isinstance(key.value, Key) and key.value.kind == "params"
                texts = columns.texts(key.value, select) if is_param and isinstance(key.value, Key) else None
                if is_param and (np.abs(found[np.isfinite(found)]) >= EXACT).any():
                    # Their order is not that of their doubles alone.
                    raise NotByColumns
                self._add(key, found, texts)
        self._components.append(-self._runs.starts)
        # Ids ascend: a place is as good.
        self._components.append(np.arange(len(self._runs.ids)))

    def first(self, places: Places, count: int) -> Places:
        """Places, among these, that come first, in order: `count` of them at most."""
        sure: list[Places] = []
        left, rest = places, count
        for component in self._components:
            if len(left) <= max(rest, _SORTED):
                break
            values = component[left]
            bound = np.partition(values, rest - 1)[rest - 1]
            before = values < bound
            sure.append(left[before])
            rest -= len(sure[-1])
            left = left[values == bound]
        some = np.concatenate([*sure, left])
        order = np.lexsort([component[some] for component in reversed(self._components)])
        return some[order[:count]]

    def _add(self, key: OrderKey, numbers: npt.NDArray[np.float64] | None, labels: Labels | None) -> None:
        """Class, number and text of a key."""
        there = np.zeros(len(self._runs.ids), bool) if labels is None else labels.codes >= 0
        classes = np.where(there, 2, 3).astype(np.int8)
        sign = -1 if key.descending else 1
        if numbers is not None:
            known = present(numbers)
            classes[known] = np.isnan(numbers[known])
            numbers = np.where(classes == 0, numbers, 0.0)
        self._components.append(classes)
        if numbers is not None:
            self._components.append(numbers * sign)
        if labels is not None:
            if len(labels.texts) > COMPARED_TEXTS:
                raise NotByColumns
            # Code points have the order of their UTF-8 bytes.
            ordered = sorted(range(len(labels.texts)), key=labels.texts.__getitem__)
            ranks = np.empty(len(ordered) + 1, np.int32)
            ranks[ordered] = np.arange(len(ordered))
            self._components.append(np.where(classes == 2, ranks[labels.codes], 0) * sign)


def _is_text(key: OrderKey) -> bool:
    if not isinstance(key.value, Key):
        return False
    return key.value.kind == "tags" or (key.value.kind == "attributes" and ATTRIBUTES[key.value.key] in ("text", "id"))
