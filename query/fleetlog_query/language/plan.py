"""Text → plan: which comparison each condition is, of numbers or of texts, and whether it makes sense."""

from __future__ import annotations

import re
from typing import NoReturn

from fleetlog_core import limits
from fleetlog_core.errors import shown

from fleetlog_query.language import patterns, tree
from fleetlog_query.language.calculate import Calculator, Number, Unit
from fleetlog_query.language.conditions import AllOf, AnyOf, Leaf, Plan, is_simple, reads, reads_points
from fleetlog_query.language.diagnosis import filter_error
from fleetlog_query.language.fields import ATTRIBUTES, STATES
from fleetlog_query.language.parse import parse
from fleetlog_query.language.tree import And, Condition, Node, Not, Operand, Operator, Span
from fleetlog_query.language.values import Key, name_of

__all__ = ["AllOf", "AnyOf", "Leaf", "Plan", "plan_of", "reads_points"]
_ORDERED = ("<", "<=", ">", ">=", "between")
_FLIPPED: dict[Operator, Operator] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def plan_of(text: str, now_millis: float | None = None) -> Plan | None:
    """The plan of a filter; None = everything. `now_millis`: what now() is; None refuses it.

    FILTER_SYNTAX, FILTER_TYPE, FILTER_UNKNOWN_FIELD, FILTER_TOO_LARGE.
    """
    return _Planner("filter", now_millis).plan_of(text)


_WHOLE = re.compile(r"[0-9]{1,15}")


class _Planner:
    """Plans one filter. `field` is the request's field, for errors."""

    def __init__(self, field: str, now_millis: float | None) -> None:
        self._field = field
        self._calculator = Calculator(field, now_millis)
        self._patterns = 0
        self._pattern_size = 0

    def plan_of(self, text: str) -> Plan | None:
        """The plan; None when the text says nothing."""
        node = parse(text, self._field)
        if node is None:
            return None
        plan = self._plan(node, negated=False)
        found = len(self._calculator.windows)
        if found > limits.FILTER_WINDOWS:
            self._too_large(Span(0, 0), f"{found:,} windows, at most {limits.FILTER_WINDOWS}; each reads points")
        return plan

    def _plan(self, node: Node, negated: bool) -> Plan:
        # Recursion is bounded: parse() refuses what is nested deeper than FILTER_DEPTH.
        if isinstance(node, Not):
            return self._plan(node.part, not negated)
        if isinstance(node, Condition):
            return self._condition(node, negated != node.negated)
        parts = tuple([self._plan(part, negated) for part in node.parts])
        together = isinstance(node, And) != negated
        return AllOf(parts) if together else AnyOf(parts)

    def _condition(self, condition: Condition, negated: bool) -> Leaf:
        operator, operand, others = condition.operator, condition.operand, condition.others
        if operator == "null":
            return self._null(operand, negated)
        if operator in _FLIPPED and isinstance(operand, tree.Number | tree.Text | tree.Duration | tree.Now):
            operator, operand, others = _FLIPPED[operator], others[0], (operand,)
        if isinstance(operand, tree.AsText):
            key = self._calculator.text_key(operand)
            if operator in ("like", "ilike", "matches"):
                return self._pattern(key, operator, others[0], condition.span, negated)
            return self._text(key, operator, others, condition.span, negated)
        if isinstance(operand, tree.Field):
            key = self._calculator.key(operand)
            if operator in ("like", "ilike", "matches"):
                return self._pattern(key, operator, others[0], condition.span, negated)
            if _is_text(key, others):
                return self._text(key, operator, others, condition.span, negated)
        elif operator in ("like", "ilike", "matches"):
            self._refuse(condition.span, f"{operator.upper()} compares texts, and this is a number")
        return self._numeric(operator, operand, others, negated)

    def _null(self, operand: Operand, negated: bool) -> Leaf:
        if isinstance(operand, tree.Field):
            return Leaf(self._calculator.key(operand), "null", (), False, negated)
        if isinstance(operand, tree.AsText):
            return Leaf(self._calculator.text_key(operand), "null", (), False, negated)
        if not isinstance(operand, tree.Series):
            self._refuse(operand.span, "IS NULL asks whether a run has a key: it follows a name or a metric's function")
        return Leaf(self._calculator.series(operand), "null", (), False, negated)

    def _pattern(self, key: Key, operator: Operator, other: Operand, at: Span, negated: bool) -> Leaf:
        if key.kind == "metrics" or (key.kind == "attributes" and ATTRIBUTES[key.key] in ("time", "number")):
            self._refuse(at, f"{operator.upper()} compares texts, and {name_of(key)} is a number")
        pattern = other.value if isinstance(other, tree.Text) else ""
        if len(pattern) > limits.FILTER_PATTERN_CHARACTERS:
            what = f"the pattern has {len(pattern):,} characters, at most {limits.FILTER_PATTERN_CHARACTERS:,}"
            self._too_large(other.span, what)
        if operator == "like":
            if not patterns.is_plain(pattern):
                self._measure(patterns.like_expression(pattern), other.span)
            # The names of states are in capitals, however they are asked for.
            if key == Key("attributes", "state"):
                return Leaf(key, "ilike", (patterns.ilike_expression(pattern),), False, negated)
            return Leaf(key, operator, (patterns.like_pattern(pattern),), False, negated)
        self._patterns += 1
        if self._patterns > limits.FILTER_PATTERNS:
            self._too_large(at, f"more than {limits.FILTER_PATTERNS} of ILIKE and MATCHES; they read every value")
        expression = patterns.ilike_expression(pattern) if operator == "ilike" else pattern
        diagnosis = patterns.diagnosis(expression)
        if diagnosis:
            self._refuse(other.span, diagnosis)
        self._measure(expression, other.span)
        return Leaf(key, operator, (expression,), False, negated)

    def _measure(self, expression: str, at: Span) -> None:
        """Refuses a filter whose patterns would take too much of the processor for one value."""
        self._pattern_size += patterns.program_size(expression)
        if self._pattern_size > limits.FILTER_PATTERN_SIZE:
            self._too_large(
                at,
                f"the patterns up to here have {self._pattern_size:,} instructions when they are compiled, at most"
                f" {limits.FILTER_PATTERN_SIZE:,} in a filter; a counted repetition such as (a|b){{900}} has as many"
                " copies, and one of two has their product",
            )

    def _text(self, key: Key, operator: Operator, others: tuple[Operand, ...], at: Span, negated: bool) -> Leaf:
        type_ = ATTRIBUTES[key.key] if key.kind == "attributes" else "text"
        if type_ == "state" and operator in _ORDERED:
            self._refuse(at, "states have no order: use =, != or IN")
        texts = []
        for other in others:
            if not isinstance(other, tree.Text):
                found = f"; as a text {shown(_said(other))}" if isinstance(other, tree.Number) else ""
                self._refuse(other.span, f"expected a text in quotes for {name_of(key)}, found {_what(other)}{found}")
            texts.append(other)
        if type_ == "state":
            return Leaf(key, operator, tuple([self._state(text) for text in texts]), True, negated)
        if type_ == "id":
            return Leaf(key, operator, tuple([one.value.lower().replace("-", "") for one in texts]), False, negated)
        return Leaf(key, operator, tuple([one.value for one in texts]), False, negated)

    def _state(self, text: tree.Text) -> float:
        name = text.value.upper()
        if name not in STATES:
            self._refuse(text.span, f"expected one of {', '.join(STATES)}, found {shown(text.value)}")
        return float(STATES[name])

    def _numeric(self, operator: Operator, operand: Operand, others: tuple[Operand, ...], negated: bool) -> Leaf:
        left = self._calculator.number(operand)
        rights = [self._other(left, other) for other in others]
        if isinstance(left.value, float) and rights and operator in _FLIPPED:
            operator, operand, others = _FLIPPED[operator], others[0], (operand,)
            left, rights = rights[0], [left]
        if isinstance(left.value, float):
            self._refuse(operand.span, "expected something of a run to compare, such as metrics.val_loss")
        for right, other in zip(rights, others, strict=True):
            self._calculator.check_units(left.unit, right.unit, other.span)
            if operator in ("in", "between") and not isinstance(right.value, float):
                self._refuse(other.span, f"{operator.upper()} takes fixed values; use < and > for others")
        rights = [right.compared_with(left.unit) for right in rights]
        leaf = Leaf(left.value, operator, tuple([right.value for right in rights]), True, negated)
        if not is_simple(leaf) and len(reads(leaf)) > limits.FILTER_TERMS:
            what = f"a calculation with {len(reads(leaf))} names, at most {limits.FILTER_TERMS}"
            self._too_large(operand.span, what)
        return leaf

    def _other(self, left: Number, other: Operand) -> Number:
        if isinstance(other, tree.Text):
            unit: Unit = left.unit
            if left.value == Key("attributes", "experiment_id") and _WHOLE.fullmatch(other.value):
                return Number(float(other.value), "plain")
            if unit != "time":
                wanted = "a duration such as 90m" if unit == "span" else "a number"
                name = f" for {name_of(left.value)}" if isinstance(left.value, Key) else ""
                self._refuse(other.span, f"expected {wanted}{name}, found the text {shown(other.value)}")
        return self._calculator.number(other)

    def _refuse(self, span: Span, what: str) -> NoReturn:
        self._calculator.refuse(span, what)

    def _too_large(self, span: Span, what: str) -> NoReturn:
        raise filter_error("FILTER_TOO_LARGE", span.start, what, self._field)


def _is_text(key: Key, others: tuple[Operand, ...]) -> bool:
    """True if texts are compared: a param is a number or a text, by what it is compared with."""
    if key.kind == "params":
        return isinstance(others[0], tree.Text)
    if key.kind == "attributes":
        return ATTRIBUTES[key.key] in ("text", "id", "state")
    return key.kind in ("tags", "datasets")


def _what(operand: Operand) -> str:
    match operand:
        case tree.Number() | tree.Arithmetic() | tree.Series():
            return "a number"
        case tree.Duration():
            return "a duration"
        case tree.Now():
            return "a time"
        case _:
            return "a name"


def _said(number: tree.Number) -> str:
    return str(number.whole) if number.whole is not None else repr(number.value)
