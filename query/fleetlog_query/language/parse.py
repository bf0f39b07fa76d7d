"""Text → tree. What is too large is refused while it is read, before any work that grows with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import cast

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from lark import Lark, Token, UnexpectedInput
from lark.exceptions import VisitError

from fleetlog_query.language.build import Builder
from fleetlog_query.language.diagnosis import filter_error
from fleetlog_query.language.expected_tokens import syntax_error
from fleetlog_query.language.tree import Node, Operand, OrderKey

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_WORDS = re.compile(r"\b(?:AND|OR)\b", re.IGNORECASE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CLAUSES = frozenset({"OPERATOR", "LIKE", "ILIKE", "MATCHES", "IN", "BETWEEN", "IS"})
_VALUES = frozenset({"NUMBER", "STRING", "DURATION", "FIELD"})


@lru_cache(maxsize=16)
def parse(text: str, field: str = "filter") -> Node | None:
    """The tree; None for an empty filter. FILTER_SYNTAX, FILTER_TOO_LARGE.

    The last few are remembered: every page of a search asks again.
    """
    if not text.strip():
        return None
    return cast(Node, _parsed(text, "start", field))


@lru_cache(maxsize=64)
def parse_key(text: str, field: str) -> OrderKey:
    """A key of order_by. FILTER_SYNTAX, FILTER_TOO_LARGE."""
    return cast(OrderKey, _parsed(text, "order_key", field))


def parse_quantity(text: str, field: str) -> Operand:
    """A value by itself. FILTER_SYNTAX, FILTER_TOO_LARGE."""
    return cast(Operand, _parsed(text, "quantity", field))


def _parsed(text: str, start: str, field: str) -> object:
    _check_text(text, field)
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise syntax_error(text, error, field) from None
    except VisitError as error:
        raise error.orig_exc from None
    except _TooLargeError as error:
        raise filter_error("FILTER_TOO_LARGE", error.column, error.what, field) from None


class _TooLargeError(Exception):
    def __init__(self, token: Token, what: str) -> None:
        super().__init__(what)
        self.column = token.start_pos or 0
        self.what = what


class _Limits:
    """Counts tokens on their way to the parser."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        clauses = values = signs = 0
        # How many NOTs stand before what comes next, and how deep it is within each open parenthesis.
        nots, depths = 0, [0]
        for token in stream:
            kind = token.type
            if kind in _VALUES:
                values += 1
                nots = 0
                if values > limits.FILTER_VALUES:
                    raise _TooLargeError(token, f"more than {limits.FILTER_VALUES:,} values; use several searches")
            elif kind in _CLAUSES:
                clauses += 1
                if clauses > limits.FILTER_CLAUSES:
                    raise _TooLargeError(token, _too_many_clauses())
            elif kind == "SIGN":
                signs += 1
                if signs > limits.FILTER_SIGNS:
                    raise _TooLargeError(token, f"more than {limits.FILTER_SIGNS:,} of + - * /")
            elif kind == "NOT":
                nots += 1
            elif kind == "_LPAR":
                depths.append(depths[-1] + nots + 1)
                nots = 0
            elif kind == "_RPAR" and len(depths) > 1:
                depths.pop()
                nots = 0
            if depths[-1] + nots > limits.FILTER_DEPTH:
                raise _TooLargeError(
                    token, f"nested deeper than {limits.FILTER_DEPTH}; leave out parentheses and NOTs that do nothing"
                )
            yield token


def _too_many_clauses() -> str:
    return f"more than {limits.FILTER_CLAUSES:,} conditions; use IN (…) for lists of values"


@cache
def _parser() -> Lark:
    grammar = (files("fleetlog_query.language") / "grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar, parser="lalr", lexer="contextual", start=["start", "order_key", "quantity"], transformer=Builder(),
        maybe_placeholders=False, postlex=_Limits(),
    )  # fmt: skip


def _check_text(text: str, field: str) -> None:
    if len(text) > limits.FILTER_CHARACTERS:
        what = f"{len(text):,} characters, at most {limits.FILTER_CHARACTERS:,}; use several searches"
        raise InvalidArgument.of_field("FILTER_TOO_LARGE", field, what)
    surrogate = _SURROGATE.search(text)
    if surrogate:
        raise filter_error("FILTER_SYNTAX", surrogate.start(), "half of a surrogate pair is not a character", field)
    # BETWEEN has an AND of its own, so twice as many words may be fine; the exact count comes with the tokens.
    if len(_WORDS.findall(_QUOTED.sub("", text))) >= 2 * limits.FILTER_CLAUSES:
        raise InvalidArgument.of_field("FILTER_TOO_LARGE", field, _too_many_clauses())
