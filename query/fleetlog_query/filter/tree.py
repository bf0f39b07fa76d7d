"""What a filter says, as it was written: nodes with their places in the text. Names are not resolved yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOfTexts

from fleetlog_query.filter.complaint import Span

Space = OneOfTexts["metrics", "params", "tags", "attributes"]
Operator = OneOfTexts["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Field:
    """A name: `space` and `key` as they were written, but without quotes. `space` is "" for a bare name."""

    space: str
    key: str
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a text."""

    value: float | str
    span: Span


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operand operator literal`."""

    operand: Field
    operator: Operator
    literal: Literal
    span: Span
    """Of the operator."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """`operand [NOT] IN (literals)`."""

    operand: Field
    literals: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Within:
    """`operand [NOT] BETWEEN low AND high`, both ends included."""

    operand: Field
    low: Literal
    high: Literal
    negated: bool


@dataclass(frozen=True, slots=True)
class Like:
    """`operand [NOT] LIKE pattern`; ILIKE ignores case."""

    operand: Field
    pattern: Literal
    ignore_case: bool
    negated: bool
    span: Span
    """Of LIKE."""


@dataclass(frozen=True, slots=True)
class Null:
    """`operand IS [NOT] NULL`."""

    operand: Field
    negated: bool


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT node`."""

    node: Node


@dataclass(frozen=True, slots=True)
class And:
    """`node AND node …`: two or more."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """`node OR node …`: two or more."""

    nodes: tuple[Node, ...]


Node = Comparison | OneOf | Within | Like | Null | Not | And | Or
