"""Filters over columns that are held: all but what only the engine can tell, or tells sooner.

What each condition means is said by an evaluator in the tests, which holds these and the statements together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fleetlog_query.column_cache.columns import MISSING, Source, present
from fleetlog_query.column_cache.labels import Labels
from fleetlog_query.column_cache.scope_columns import ScopeColumns
from fleetlog_query.language import patterns
from fleetlog_query.language.conditions import AllOf, Leaf, Plan, is_exact, is_nan, leaves, reads, truths_of
from fleetlog_query.language.fields import ATTRIBUTES
from fleetlog_query.language.texts import text_holds
from fleetlog_query.language.values import Computed, Key, Series, Value
from fleetlog_query.series.series_rows import Select
from fleetlog_query.warehouse.pattern_statement import steps_of

COMPARED_TEXTS = 10_000
"""Maximum of distinct texts that are compared one by one: each takes about a microsecond."""
PATTERN_STEPS = 2_000_000
"""Maximum of steps of one pattern over all texts of a column: about 40 ms."""
Real = npt.NDArray[np.float64]
Holds = npt.NDArray[np.bool_]
_SIGNS: Mapping[str, Callable[[Real, Real | float], Holds]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ARITHMETIC: Mapping[str, Callable[[Real | float, Real | float], Real]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide,
}  # fmt: skip


class NotByColumns(Exception):
    """The columns can't tell, or not as soon as a statement."""


def sources_of_plan(plan: Plan | None) -> set[Source]:
    """Columns that a filter asks for. NotByColumns."""
    return {source for leaf in leaves(plan) for source in _sources_of(leaf)}


def number_source(value: Key | Series) -> Source:
    """Column of a number. NotByColumns for windows, which read points, and for what has no numbers."""
    if isinstance(value, Series):
        if value.window is not None:
            raise NotByColumns
        return Source(value, is_text=False)
    if value.kind == "attributes" and ATTRIBUTES[value.key] in ("text", "id"):
        raise NotByColumns
    if value.kind in ("tags", "datasets"):
        raise NotByColumns
    return Source(value, is_text=False)


def text_source(value: Value) -> Source:
    """Column of a text. NotByColumns for what has no column of texts."""
    if not isinstance(value, Key) or value.kind in ("metrics", "datasets") or value == Key("attributes", "run_id"):
        raise NotByColumns
    return Source(value, is_text=True)


def _sources_of(leaf: Leaf) -> list[Source]:
    # Whole params that doubles don't tell apart, and truths by their names, are told by text and type together.
    if is_exact(leaf) or truths_of(leaf):
        raise NotByColumns
    if leaf.operator == "null":
        return [_source_of_null(leaf.value)]
    if leaf.numeric:
        return [number_source(value) for value in reads(leaf)]
    return [text_source(leaf.value)]


def _source_of_null(value: Value) -> Source:
    """Column that tells whether a run has it: of texts, where what it has may be no number."""
    is_text = isinstance(value, Key) and (
        value.kind in ("params", "tags") or (value.kind == "attributes" and ATTRIBUTES[value.key] in ("text", "id"))
    )
    if is_text:
        return text_source(value)
    if not isinstance(value, Key | Series):
        raise NotByColumns
    return number_source(value)


class ColumnConditions:
    """Conditions on the runs of a columns, which is held meanwhile."""

    def __init__(self, columns: ScopeColumns, select: Select) -> None:
        self._columns = columns
        self._select = select

    def holds(self, plan: Plan) -> Holds:
        """True for each run of the scope that it holds of. NotByColumns."""
        if isinstance(plan, Leaf):
            with np.errstate(all="ignore"):
                return self._leaf(plan)
        parts = [self.holds(part) for part in plan.parts]
        together = np.logical_and if isinstance(plan, AllOf) else np.logical_or
        found: Holds = together.reduce(parts)
        return found

    def numbers(self, value: Value) -> Real | float:
        """Number of each run, MISSING for none; one number for all when it is fixed."""
        if isinstance(value, float):
            return float(value)
        if not isinstance(value, Computed):
            return self._columns.numbers(value, self._select)
        with np.errstate(all="ignore"):
            left, right = self.numbers(value.left), self.numbers(value.right)
            result = _ARITHMETIC[value.sign](left, right)
        # NaN that comes out of numbers is a value, and has the bits of one.
        known = _present(left) & _present(right)
        found: Real = np.where(known, np.where(np.isnan(result), np.nan, result), MISSING)
        return found

    def _leaf(self, leaf: Leaf) -> Holds:
        if leaf.operator == "null":
            return self._has(leaf.value) if leaf.negated else ~self._has(leaf.value)
        if not leaf.numeric:
            return self._texts(leaf)
        value = self.numbers(leaf.value)
        others = [self.numbers(other) for other in leaf.values if not isinstance(other, str)]
        if isinstance(value, float):
            raise NotByColumns
        holds: Holds = _compared(leaf, value, others) != leaf.negated
        for one in (value, *others):
            holds &= _present(one)
        return holds

    def _has(self, value: Value) -> Holds:
        source = _source_of_null(value)
        if source.is_text and isinstance(value, Key):
            known: Holds = self._columns.texts(value, self._select).codes >= 0
            return known
        numbers = self.numbers(value)
        if isinstance(numbers, float):
            raise NotByColumns
        return present(numbers)

    def _texts(self, leaf: Leaf) -> Holds:
        if not isinstance(leaf.value, Key):
            raise NotByColumns
        labels = self._columns.texts(leaf.value, self._select)
        # Code -1, no text, is the last place.
        table = np.append(_text_table(leaf, labels), leaf.negated) != leaf.negated
        holds: Holds = table[labels.codes]
        return holds


def _present(numbers: Real | float) -> Holds | bool:
    return True if isinstance(numbers, float) else present(numbers)


def _compared(leaf: Leaf, value: Real, others: Sequence[Real | float]) -> Holds:
    if leaf.operator == "in":
        found = np.zeros(len(value), bool)
        for other in others:
            found |= np.isnan(value) if isinstance(other, float) and np.isnan(other) else value == other
        return found
    if leaf.operator == "between":
        within: Holds = np.logical_and(value >= others[0], value <= others[1])
        return within
    if leaf.operator in ("=", "!=") and is_nan(leaf.values[0]):
        equal: Holds = np.isnan(value) == (leaf.operator == "=")
        return equal
    return _SIGNS[leaf.operator](value, others[0])


def _text_table(leaf: Leaf, labels: Labels) -> Holds:
    """True for each of the texts that the condition without its NOT holds of."""
    texts = labels.texts
    if leaf.operator in ("=", "!=", "in"):
        wanted = set(leaf.values)
        found = np.fromiter((text in wanted for text in texts), bool, len(texts))
        return ~found if leaf.operator == "!=" else found
    if leaf.operator == "like" and patterns.is_plain(str(leaf.values[0])):
        return np.fromiter(map(patterns.plain_test(str(leaf.values[0])), texts), bool, len(texts))
    if len(texts) > COMPARED_TEXTS or steps_of(leaf) * sum(map(len, texts)) > PATTERN_STEPS:
        raise NotByColumns
    return np.fromiter((text_holds(leaf, text) for text in texts), bool, len(texts))
