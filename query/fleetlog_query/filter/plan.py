"""Tree to plan: names and types resolved, literals in the form they are compared in.

A plan is in three-valued logic: a test of a key that is not there is unknown, and so is its negation. `!=`, NOT IN,
NOT BETWEEN, NOT LIKE and IS NULL are `Not` of their positive forms; for `Present` the answer is never unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal as OneOfTexts

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.ids import parse_id

from fleetlog_query.filter import patterns, tree
from fleetlog_query.filter.complaint import Source, Span, quoted, suggestion
from fleetlog_query.filter.fields import STATES, TYPES, Attribute, Key, Kind, Name, Type, resolve
from fleetlog_query.filter.parse import parse

Operator = OneOfTexts["=", "<", "<=", ">", ">="]
_MLFLOW_STATES = ("SCHEDULED",)
"""States that MLflow knows and no run of ours is in: allowed, and never found."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is tested, and as what: a param is a number or a text, by what it is compared with."""

    name: Name
    number: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """`target operator value`. `= NaN` is true of NaN; every other comparison with NaN is false."""

    target: Target
    operator: Operator
    value: float | str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Equal to one of the values: all numbers, or all texts."""

    target: Target
    values: tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """low ≤ target ≤ high."""

    target: Target
    low: float | str
    high: float | str


@dataclass(frozen=True, slots=True)
class Like:
    """Like a normal pattern; see patterns."""

    target: Target
    pattern: str
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class Present:
    """The run has it."""

    name: Name


ValueTest = Compare | OneOf | Within | Like
"""Tests of a value; unknown where there is none."""
Test = ValueTest | Present


@dataclass(frozen=True, slots=True)
class Not:
    """Not the plan; unknown stays unknown."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them at least."""

    plans: tuple[Plan, ...]


Plan = Test | Not | And | Or


def plan_filter(text: str) -> Plan | None:
    """The plan; None for an empty filter. FILTER_SYNTAX, FILTER_TYPE, FILTER_UNKNOWN_FIELD, FILTER_TOO_LARGE."""
    source = Source("filter", text)
    node = parse(source)
    return None if node is None else _Planner(source).plan(node)


@dataclass(frozen=True, slots=True)
class _Planner:
    source: Source

    def plan(self, node: tree.Node) -> Plan:
        # Recursion is bounded: parse() refuses what is nested deeper than FILTER_DEPTH.
        match node:
            case tree.And(nodes):
                return And(tuple(self.plan(one) for one in nodes))
            case tree.Or(nodes):
                return Or(tuple(self.plan(one) for one in nodes))
            case tree.Not(one):
                return Not(self.plan(one))
            case tree.Comparison():
                return self._comparison(node)
            case tree.OneOf(operand, literals, negated):
                target, values = self._values(operand, literals, "=")
                return _negated(OneOf(target, values), negated)
            case tree.Within(operand, low, high, negated):
                target, values = self._values(operand, (low, high), "<")
                return _negated(Within(target, values[0], values[1]), negated)
            case tree.Like():
                return self._like(node)
            case tree.Null(operand, negated):
                return _negated(Present(resolve(self.source, operand)), not negated)

    def _comparison(self, node: tree.Comparison) -> Plan:
        target, values = self._values(node.operand, (node.literal,), node.operator, node.span)
        if node.operator == "!=":
            return Not(Compare(target, "=", values[0]))
        return Compare(target, node.operator, values[0])

    def _like(self, node: tree.Like) -> Plan:
        name = resolve(self.source, node.operand)
        if _is_number(name):
            raise self._refusal(node.span, f"{_shown(name)} is a number; LIKE is for text")
        pattern = str(node.pattern.value)
        # A state has no case: its names are in capitals.
        ignore_case = node.ignore_case or name is Attribute.STATE
        plan = Like(Target(name, False), patterns.normal(pattern, ignore_case), ignore_case)
        return _negated(plan, node.negated)

    def _values(
        self, operand: tree.Field, literals: tuple[tree.Literal, ...], operator: tree.Operator, at: Span | None = None
    ) -> tuple[Target, tuple[float, ...] | tuple[str, ...]]:
        """The target, and the literals in the form that it compares with."""
        name = resolve(self.source, operand)
        ordered = operator not in ("=", "!=")
        if name is Attribute.STATE and ordered:
            raise self._refusal(at or operand.span, "states have no order; use = or IN")
        values = [self._value(name, literal, ordered) for literal in literals]
        numbers = tuple(value for value in values if isinstance(value, float))
        texts = tuple(value for value in values if isinstance(value, str))
        if numbers and texts:
            odd = next(one for one in literals if isinstance(one.value, str) != isinstance(literals[0].value, str))
            raise self._refusal(odd.span, "numbers and texts can't be mixed; use two conditions with OR")
        return Target(name, bool(numbers)), numbers or texts

    def _value(self, name: Name, literal: tree.Literal, ordered: bool) -> float | str:
        value, span = literal.value, literal.span
        if isinstance(name, Key):
            if name.kind is Kind.METRIC and isinstance(value, str):
                raise self._refusal(span, f"expected a number for {_shown(name)}, found the text {quoted(value)}")
            if name.kind is Kind.TAG and not isinstance(value, str):
                number = self.source.text[span.start : span.end]
                raise self._refusal(
                    span, f"expected quoted text for {_shown(name)}, found {number}; tags are text: '{number}'"
                )
            return value
        kind = TYPES[name]
        if kind is Type.TIME:
            return self._time(name, literal)
        if kind is Type.NUMBER:
            return self._number(name, literal)
        if not isinstance(value, str):
            raise self._refusal(span, f"expected quoted text for {_shown(name)}, found a number")
        if kind is Type.STATE:
            return self._state(value, span)
        return value if ordered or kind is not Type.ID else _id(value)

    def _state(self, value: str, span: Span) -> str:
        state = value.upper()
        if state not in (*STATES[1:], *_MLFLOW_STATES):
            known = ", ".join(STATES[1:])
            words = suggestion(state.lower(), [one.lower() for one in STATES[1:]])
            raise self._refusal(span, f"there is no state {quoted(value)}{words}; states are {known}")
        return state

    def _number(self, name: Attribute, literal: tree.Literal) -> float:
        if isinstance(literal.value, float):
            return literal.value
        if literal.value.isascii() and literal.value.isdigit() and len(literal.value) < 16:
            return float(literal.value)
        raise self._refusal(
            literal.span, f"expected a number for {_shown(name)}, found the text {quoted(literal.value)}"
        )

    def _time(self, name: Attribute, literal: tree.Literal) -> float:
        if isinstance(literal.value, float):
            return literal.value
        try:
            moment = datetime.fromisoformat(literal.value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
        except (ValueError, OverflowError):
            raise self._refusal(
                literal.span,
                f"expected a time for {_shown(name)}, found {quoted(literal.value)};"
                " write Unix milliseconds or '2025-01-31T12:00:00Z'",
            ) from None
        return micros / 1000

    def _refusal(self, span: Span, description: str) -> InvalidArgument:
        return self.source.refusal("FILTER_TYPE", span, description)


_MICROSECOND = datetime.resolution


def _negated(plan: Plan, negated: bool) -> Plan:
    return Not(plan) if negated else plan


def _is_number(name: Name) -> bool:
    if isinstance(name, Key):
        return name.kind is Kind.METRIC
    return TYPES[name] in (Type.TIME, Type.NUMBER)


def _id(text: str) -> str:
    """An id in its plain form; a text that is none stays as it is and finds nothing."""
    try:
        return parse_id(text).hex()
    except InvalidArgument:
        return text


def _shown(name: Name) -> str:
    if isinstance(name, Attribute):
        return name.value
    return quoted(f"{name.kind.name.lower()}s.{name.key}")


def is_nan(value: float | str) -> bool:
    """Whether a literal is NaN."""
    return isinstance(value, float) and math.isnan(value)
