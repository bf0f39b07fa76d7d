"""Text → tree. Errors point at the column and say what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from fleetlog_query.filter.tree import And, Condition, Field, Node, Not, Operand, Operator, Or, Span

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`")
_WORDS = re.compile(r"\b(?:AND|OR)\b", re.IGNORECASE)
_NOTS = re.compile(r"(?:\bNOT\b[\s(]*)+", re.IGNORECASE)
_NAMES = {
    "OPERATOR": "an operator such as = or <", "NUMBER": "a number", "STRING": "a text in quotes",
    "FIELD": "a field such as metrics.val_loss", "LPAR": "(", "RPAR": ")", "COMMA": ",", "$END": "the end",
}  # fmt: skip


def filter_error(reason: str, text: str, column: int, what: str, field: str = "filter") -> InvalidArgument:
    """An error at a column (from 0) of the text, with a line that points there."""
    start = max(0, column - 40)
    line = re.sub(r"\s", " ", text[start : start + 80])
    message = f"column {column + 1}: {what}\n    {line}\n    {' ' * (column - start)}^"
    error = InvalidArgument.of_field(reason, field, message)
    error.metadata["column"] = str(column + 1)
    return error


def parse(text: str) -> Node | None:
    """The tree; None for an empty filter. FILTER_SYNTAX, FILTER_TOO_LARGE."""
    if not text.strip():
        return None
    _check_size(text)
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax(text, error) from None
    node = _Builder(text).transform(tree)
    if not isinstance(node, (Condition, Not, And, Or)):
        raise filter_error("FILTER_SYNTAX", text, 0, "expected a condition such as metrics.val_loss < 3.28")
    return node


@cache
def _parser() -> Lark:
    grammar = (files("fleetlog_query.filter") / "grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _check_size(text: str) -> None:
    """Before any work that grows with it."""
    if len(text) > limits.FILTER_CHARACTERS:
        raise _too_large(f"{len(text):,} characters, at most {limits.FILTER_CHARACTERS:,}")
    bare = _QUOTED.sub("''", text)
    # BETWEEN has an AND of its own, so twice as many words may be fine; the plan counts exactly.
    if len(_WORDS.findall(bare)) >= 2 * limits.FILTER_CLAUSES:
        raise _too_large(f"more than {limits.FILTER_CLAUSES:,} conditions; use IN (…) for lists of values")
    depth = deepest = 0
    for character in bare:
        if character == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif character == ")":
            depth -= 1
    nots = max((len(re.findall("NOT", run, re.IGNORECASE)) for run in _NOTS.findall(bare)), default=0)
    if deepest > limits.FILTER_DEPTH or nots > limits.FILTER_DEPTH:
        raise _too_large(f"parentheses or NOTs {max(deepest, nots):,} deep, at most {limits.FILTER_DEPTH}")


def _too_large(what: str) -> InvalidArgument:
    return InvalidArgument.of_field("FILTER_TOO_LARGE", "filter", what)


def _syntax(text: str, error: UnexpectedInput) -> InvalidArgument:
    if isinstance(error, UnexpectedEOF):
        return filter_error(
            "FILTER_SYNTAX", text, len(text.rstrip()), f"expected {_expected(error.expected)}, found the end"
        )
    if isinstance(error, UnexpectedToken):
        token = error.token
        at_end = token.type == "$END"
        column = len(text.rstrip()) if at_end else (token.start_pos or 0)
        found = "the end" if at_end else shown(str(token))
        names = error.accepts or error.expected
        return filter_error("FILTER_SYNTAX", text, column, f"expected {_expected(names)}, found {found}")
    column = error.pos_in_stream or 0
    allowed: Any = error.allowed if isinstance(error, UnexpectedCharacters) else ()
    found = shown(text[column : column + 20])
    return filter_error("FILTER_SYNTAX", text, column, f"expected {_expected(allowed)}, found {found}")


def _expected(names: Any) -> str:
    words = sorted({_NAMES.get(name, name.lstrip("_")) for name in names or () if not name.startswith("__IGNORE")})
    if not words:
        return "something else"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _conditions(operator: Operator, negated: bool = False) -> Callable[[Any, list[Any]], Condition]:
    def build(_: Any, parts: list[Any]) -> Condition:
        return Condition(parts[0], operator, tuple(parts[1:]), negated)

    return build


class _Builder(Transformer[Token, Node]):
    """From lark's tree to ours."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def start(self, parts: list[Node]) -> Node:
        """The whole."""
        return parts[0]

    def disjunction(self, parts: list[Node]) -> Node:
        """A OR b."""
        return Or(tuple(parts))

    def conjunction(self, parts: list[Node]) -> Node:
        """A AND b."""
        return And(tuple(parts))

    def negated(self, parts: list[Node]) -> Node:
        """NOT a."""
        return Not(parts[0])

    def field(self, parts: list[Token]) -> Field:
        """A field's group and key."""
        token = parts[0]
        span = _span(token)
        group, dot, key = str(token).partition(".")
        if not dot:
            return Field("", str(token), span)
        key = key.strip()
        if key[0] in '`"':
            quote = key[0]
            key = key[1:-1].replace(quote * 2, quote)
        return Field(group.strip().lower(), key, span)

    def literal(self, parts: list[Token]) -> Operand:
        """A number or a text."""
        token = parts[0]
        if token.type == "NUMBER":
            return Operand(float(token), _span(token))
        quote = token[0]
        return Operand(str(token)[1:-1].replace(quote * 2, quote), _span(token))

    def compare(self, parts: list[Any]) -> Condition:
        """Field OPERATOR literal."""
        operator = {"==": "=", "<>": "!="}.get(str(parts[1]), str(parts[1]))
        return Condition(parts[0], operator, (parts[2],))  # type: ignore[arg-type]

    like = _conditions("like")
    not_like = _conditions("like", negated=True)
    ilike = _conditions("ilike")
    not_ilike = _conditions("ilike", negated=True)
    among = _conditions("in")
    not_among = _conditions("in", negated=True)
    between = _conditions("between")
    not_between = _conditions("between", negated=True)
    is_null = _conditions("null")
    is_not_null = _conditions("null", negated=True)


def _span(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)
