"""The tree of a filter: what was said, with where it was said. Names and types are not resolved yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "like", "ilike", "matches", "in", "between", "null"]
Function = Literal["min", "max", "mean", "first", "last", "count", "at"]
Sign = Literal["+", "-", "*", "/"]


@dataclass(frozen=True, slots=True)
class Span:
    """Columns in the text: from `start` to before `end`, from 0."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """Name as it is written: group ("" for a bare name) and key. `quoted`: the key was in quotes."""

    group: str
    key: str
    quoted: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `whole` when it was written as one of at most 19 digits."""

    value: float
    whole: int | None
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Duration:
    """7d, 1h30m: milliseconds."""

    millis: float
    span: Span


@dataclass(frozen=True, slots=True)
class Now:
    """The time of the search."""

    span: Span


@dataclass(frozen=True, slots=True)
class Within:
    """A condition on the points of a window."""

    axis: Literal["step", "time", "rank"]
    operator: Operator
    others: tuple[Operand, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Series:
    """A function of a metric's points; `step` with "at" alone."""

    function: Function
    field: Field
    step: Number | None
    window: tuple[Within, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class AsText:
    """text(params.x): a key whose values are texts, whatever they look like."""

    field: Field
    span: Span


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A sum or a product: the first term, and what follows with its sign. Never nested but by parentheses."""

    first: Operand
    rest: tuple[tuple[Sign, Operand], ...]
    span: Span


Operand = Field | Number | Text | Duration | Now | Series | AsText | Arithmetic


@dataclass(frozen=True, slots=True)
class Condition:
    """One question. `negated`: NOT LIKE, NOT IN, NOT BETWEEN, IS NOT NULL. The span is the operator's."""

    operand: Operand
    operator: Operator
    others: tuple[Operand, ...]
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; what is unknown stays unknown."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    parts: tuple[Node, ...]


Node = Condition | Not | And | Or


@dataclass(frozen=True, slots=True)
class OrderKey:
    """A key of order_by."""

    operand: Operand
    descending: bool
