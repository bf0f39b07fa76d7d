"""Lark's reductions → tree. The names of methods are those of the grammar's rules."""

from __future__ import annotations

import re
from typing import Any, cast

from lark import Token, Transformer

from fleetlog_query.language import tree
from fleetlog_query.language.tree import Operand, Operator, Span

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(r"[+-]?\d{1,30}")
_SPELLINGS = {"==": "=", "<>": "!="}


class Builder(Transformer[Token, Any]):
    """Makes nodes as the parser reduces. Children are tokens, operands or nodes, as the grammar says."""

    def start(self, parts: list[tree.Node]) -> tree.Node:
        """The whole filter."""
        return parts[0]

    def order_key(self, parts: list[Any]) -> tree.OrderKey:
        """A key of order_by."""
        return tree.OrderKey(operand_of(parts[0]), len(parts) > 1 and parts[1].type == "DESC")

    def quantity(self, parts: list[Any]) -> Operand:
        """A value by itself."""
        return operand_of(parts[0])

    def disjunction(self, parts: list[tree.Node]) -> tree.Node:
        """A OR b."""
        return tree.Or(tuple(parts))

    def conjunction(self, parts: list[tree.Node]) -> tree.Node:
        """A AND b."""
        return tree.And(tuple(parts))

    def negated(self, parts: list[Any]) -> tree.Node:
        """NOT a."""
        return tree.Not(parts[1])

    def compare(self, parts: list[Any]) -> tree.Condition:
        """A = b."""
        return _condition(parts, _SPELLINGS.get(parts[1], str(parts[1])))

    def like(self, parts: list[Any]) -> tree.Condition:
        """A LIKE b, and its kin."""
        return _condition(parts, parts[-2].type.lower())

    def among(self, parts: list[Any]) -> tree.Condition:
        """A IN (…)."""
        return _condition(parts, "in")

    def between(self, parts: list[Any]) -> tree.Condition:
        """A BETWEEN b AND c."""
        return _condition(parts, "between")

    def null(self, parts: list[Any]) -> tree.Condition:
        """A IS NULL."""
        return tree.Condition(operand_of(parts[0]), "null", (), len(parts) > 2, span_of(parts[1]))

    def sum(self, parts: list[Any]) -> Operand:
        """A + b * c: products first, then their sum."""
        products: list[Any] = []
        for place, part in enumerate(parts):
            if place % 2 or place == 0:
                products.append(part if place % 2 else [part])
            elif products[-1] in ("*", "/"):
                sign = products.pop()
                products[-1] += [sign, part]
            else:
                products.append([part])
        return _arithmetic([part if isinstance(part, Token) else _arithmetic(part) for part in products])

    def parenthesis(self, parts: list[Any]) -> Operand:
        """Parentheses around an operand."""
        return operand_of(parts[0])

    def now(self, parts: list[Token]) -> tree.Now:
        """The time of the search."""
        return tree.Now(span_of(parts[0]))

    def as_text(self, parts: list[Token]) -> tree.AsText:
        """A key as a text."""
        field = cast(tree.Field, operand_of(parts[1]))
        return tree.AsText(field, Span(span_of(parts[0]).start, field.span.end))

    def series(self, parts: list[Any]) -> tree.Series:
        """A function of a metric's points."""
        function = cast(tree.Function, parts[0].lower())
        field = cast(tree.Field, operand_of(parts[1]))
        span = Span(span_of(parts[0]).start, field.span.end)
        if function == "at":
            return tree.Series(function, field, cast(tree.Number, operand_of(parts[2])), (), span)
        return tree.Series(function, field, None, parts[2] if len(parts) > 2 else (), span)

    def window(self, parts: list[tree.Within]) -> tuple[tree.Within, ...]:
        """Conditions of a window."""
        return tuple(parts)

    def within(self, parts: list[Any]) -> tree.Within:
        """One condition on points."""
        axis, operator, *others = parts
        spelled = operator.lower() if operator.type == "BETWEEN" else _SPELLINGS.get(operator, str(operator))
        return tree.Within(
            cast(Any, axis.lower()), cast(Operator, spelled), tuple(map(operand_of, others)), span_of(axis)
        )


def _condition(parts: list[Any], operator: str) -> tree.Condition:
    negated = parts[1].type == "NOT"
    first = 3 if negated else 2
    others = tuple([operand_of(part) for part in parts[first:]])
    return tree.Condition(
        operand_of(parts[0]), cast(Operator, operator), others, negated, span_of(parts[2 if negated else 1])
    )


def _arithmetic(parts: list[Any]) -> Operand:
    if len(parts) == 1:
        return operand_of(parts[0])
    operands = [operand_of(part) for part in parts[::2]]
    signs = [cast(tree.Sign, str(sign)) for sign in parts[1::2]]
    span = Span(operands[0].span.start, operands[-1].span.end)
    return tree.Arithmetic(operands[0], tuple(zip(signs, operands[1:], strict=True)), span)


def operand_of(part: Any) -> Operand:
    """The operand that a token stands for; an operand stays itself."""
    if not isinstance(part, Token):
        return cast(Operand, part)
    span = span_of(part)
    if part.type == "NUMBER":
        return tree.Number(float(part), int(part) if _WHOLE.fullmatch(part) else None, span)
    if part.type == "STRING":
        quote = part[0]
        return tree.Text(str(part)[1:-1].replace(quote * 2, quote), span)
    if part.type == "DURATION":
        return tree.Duration(sum(float(size) * _UNITS[unit] for size, unit in _PIECE.findall(part)), span)
    group, dot, key = str(part).partition(".")
    if not dot:
        return tree.Field("", group, False, span)
    key = key.strip()
    quote = key[0]
    quoted = quote in '`"'
    if quoted:
        key = key[1:-1].replace(quote * 2, quote)
    return tree.Field(group.strip().lower(), key, quoted, span)


def span_of(token: Token) -> Span:
    """Span of a token."""
    return Span(token.start_pos or 0, token.end_pos or 0)
