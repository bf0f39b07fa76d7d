"""Tree → plan: names resolved, types checked, NOT pushed down to the conditions.

A condition on a key that a run does not have is unknown, and so is its opposite: neither matches. With NOT at the
leaves AND and OR need no third value: a leaf is true or not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown

from fleetlog_query.filter.fields import ATTRIBUTES, STATES, Kind, resolve
from fleetlog_query.filter.parse import filter_error, parse
from fleetlog_query.filter.tree import And, Condition, Node, Not, Operand, Operator

_ORDERED = ("<", "<=", ">", ">=", "between")
_TEXTUAL = ("like", "ilike")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One typed condition. `numeric`: the number of the field is compared, not its text.

    `negated`: matches where the field is there (and is a number, when numeric) and the condition is false.
    """

    kind: Kind
    key: str
    operator: Operator
    values: tuple[float | str, ...]
    numeric: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of them."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Any of them."""

    parts: tuple[Plan, ...]


Plan = Leaf | AllOf | AnyOf


def plan_of(text: str) -> Plan | None:
    """The plan of a filter; None = everything. FILTER_SYNTAX, FILTER_TYPE, FILTER_UNKNOWN_FIELD, FILTER_TOO_LARGE."""
    tree = parse(text)
    if tree is None:
        return None
    planner = _Planner(text)
    return planner.plan(tree, negated=False)


class _Planner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._leaves = 0

    def plan(self, node: Node, negated: bool) -> Plan:
        if isinstance(node, Not):
            return self.plan(node.part, not negated)
        if isinstance(node, Condition):
            return self._leaf(node, negated)
        parts = tuple(self.plan(part, negated) for part in node.parts)
        together = isinstance(node, And) != negated
        return AllOf(parts) if together else AnyOf(parts)

    def _leaf(self, condition: Condition, negated: bool) -> Leaf:
        self._leaves += 1
        if self._leaves > limits.FILTER_CLAUSES:
            raise InvalidArgument.of_field(
                "FILTER_TOO_LARGE", "filter", f"more than {limits.FILTER_CLAUSES:,} conditions; use IN (…) for lists"
            )
        field = condition.field
        resolved = resolve(field.group, field.key)
        if isinstance(resolved, str):
            raise filter_error("FILTER_UNKNOWN_FIELD", self._text, field.span.start, resolved)
        kind, key = resolved
        operator = condition.operator
        negated = negated != condition.negated
        if operator == "null":
            return Leaf(kind, key, operator, (), False, negated)
        values, numeric = self._values(kind, key, operator, condition.literals)
        return Leaf(kind, key, operator, values, numeric, negated)

    def _values(
        self, kind: Kind, key: str, operator: Operator, literals: tuple[Operand, ...]
    ) -> tuple[tuple[float | str, ...], bool]:
        attribute = ATTRIBUTES[key] if kind == "attributes" else None
        for literal in literals:
            if operator in _TEXTUAL:
                self._check_pattern(kind, key, literal)
        if kind == "metrics" or attribute == "number":
            return tuple(self._number(literal, key) for literal in literals), True
        if attribute == "time":
            return tuple(self._time(literal) for literal in literals), True
        if attribute == "state":
            if operator in _ORDERED:
                raise self._wrong(literals[0], "states have no order: use =, != or IN")
            return tuple(self._state(literal) for literal in literals), True
        if kind == "params" and all(isinstance(literal.value, float) for literal in literals):
            return tuple(literal.value for literal in literals), True
        texts = []
        for literal in literals:
            if not isinstance(literal.value, str):
                raise self._wrong(literal, f"expected a text in quotes for {key}, found a number")
            texts.append(literal.value.lower().replace("-", "") if attribute == "id" else literal.value)
        return tuple(texts), False

    def _check_pattern(self, kind: Kind, key: str, literal: Operand) -> None:
        numeric = kind == "metrics" or (kind == "attributes" and ATTRIBUTES[key] in ("time", "number", "state"))
        if numeric:
            raise self._wrong(literal, f"LIKE compares texts, and {key} is none")
        if not isinstance(literal.value, str):
            raise self._wrong(literal, "expected a pattern in quotes")
        stripped = literal.value.rstrip("\\")
        if (len(literal.value) - len(stripped)) % 2:
            raise self._wrong(literal, "the pattern ends in a lone backslash; double it to mean one")

    def _number(self, literal: Operand, key: str) -> float:
        if isinstance(literal.value, str):
            raise self._wrong(literal, f"expected a number for {key}, found {shown(literal.value)}")
        return literal.value

    def _time(self, literal: Operand) -> float:
        if not isinstance(literal.value, str):
            return literal.value
        try:
            parsed = datetime.fromisoformat(literal.value)
        except ValueError:
            raise self._wrong(
                literal,
                f"expected Unix milliseconds or a time such as '2026-01-31T12:00:00Z', found {shown(literal.value)}",
            ) from None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000

    def _state(self, literal: Operand) -> float:
        name = str(literal.value).upper()
        if name not in STATES:
            raise self._wrong(literal, f"expected one of {', '.join(STATES)}, found {shown(literal.value)}")
        return float(STATES[name])

    def _wrong(self, literal: Operand, what: str) -> InvalidArgument:
        return filter_error("FILTER_TYPE", self._text, literal.span.start, what)


def is_nan(value: float | str) -> bool:
    """Whether a literal is NaN, which = and != treat as a value."""
    return isinstance(value, float) and math.isnan(value)
