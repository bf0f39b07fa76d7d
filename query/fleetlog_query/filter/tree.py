"""The tree of a filter: what was said, with where it was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "like", "ilike", "in", "between", "null"]
Value = float | str


@dataclass(frozen=True, slots=True)
class Span:
    """Columns in the text: from `start` to before `end`, from 0."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """What is asked about, as written: group ("" for a bare name) and key."""

    group: str
    key: str
    span: Span


@dataclass(frozen=True, slots=True)
class Operand:
    """A number or a text."""

    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Condition:
    """One question about one field. `negated`: NOT LIKE, NOT IN, NOT BETWEEN, IS NOT NULL."""

    field: Field
    operator: Operator
    literals: tuple[Operand, ...]
    negated: bool = False


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
