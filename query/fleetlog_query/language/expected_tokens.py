"""Syntax errors in words: what could have stood at the place, and what stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from fleetlog_core.errors import InvalidArgument, shown
from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from fleetlog_query.language.diagnosis import either, filter_error

FUNCTIONS = ("min", "max", "mean", "first", "last", "count", "at", "now", "text")
_PHRASES = {
    "OPERATOR": "a comparison such as = or <", "IN": "IN", "BETWEEN": "BETWEEN", "LIKE": "LIKE", "ILIKE": "ILIKE",
    "MATCHES": "MATCHES", "IS": "IS NULL", "NOT": "NOT", "_NULL": "NULL", "_AND": "AND", "_OR": "OR",
    "_WHERE": "WHERE", "AXIS": "step, time or rank", "ASC": "ASC", "DESC": "DESC", "SIGN": "",
    "_COMMA": "a comma", "_RPAR": "a closing parenthesis", "_LPAR": "an opening parenthesis",
    "$END": "the end",
}  # fmt: skip
_LEFT = {"OPERATOR", "BETWEEN", "IS"}
_WORD = re.compile(r"[\w.+-]+|\S", re.DOTALL)
_CALL = re.compile(r"([A-Za-z_]\w*)\s*$")


def syntax_error(text: str, error: UnexpectedInput, field: str) -> InvalidArgument:
    """The error of the parser, in words of the language."""
    column, found = _place(text, error)
    what = _special(text, column) or f"expected {_expected(_accepted(error))}, found {found}"
    return filter_error("FILTER_SYNTAX", column, what, field)


def _place(text: str, error: UnexpectedInput) -> tuple[int, str]:
    end = len(text.rstrip())
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return error.token.start_pos or 0, shown(str(error.token))
    if isinstance(error, UnexpectedCharacters):
        word = _WORD.match(text, error.pos_in_stream or 0)
        return error.pos_in_stream or 0, shown(word[0] if word else "")
    return end, "the end"


def _accepted(error: UnexpectedInput) -> set[str]:
    if isinstance(error, UnexpectedToken):
        accepts: Any = error.accepts
        return set(accepts if isinstance(accepts, Iterable) and accepts else error.expected)
    return set(error.allowed or ()) if isinstance(error, UnexpectedCharacters) else set()


def _special(text: str, column: int) -> str:
    """Message for cases that people meet often; "" when it is none of them."""
    found = text[column : column + 1]
    if found and found in "'\"":
        if text.count(found, column) % 2:
            return f"the text that begins here has no closing {found}; a {found} within a text is written twice"
        return ""
    if found == "`":
        return "a key in backticks follows its group, and is not empty: metrics.`val loss`"
    if found == ".":
        return "a key follows the point: letters, digits, _ . - / : or anything in backticks"
    if found == "(":
        call = _CALL.search(text, 0, column)
        if call and not re.fullmatch("AND|OR|NOT|IN", call[1], re.IGNORECASE):
            near = get_close_matches(call[1].lower(), [*FUNCTIONS, "avg", "average"], 1)
            hint = f"; did you mean {'mean' if near[0].startswith('av') else near[0]}?" if near else ""
            return f"there is no function {shown(call[1])}: {either(list(FUNCTIONS))}{hint}"
    return ""


def _expected(accepted: set[str]) -> str:
    if not accepted:
        return "something else"
    phrases: list[str] = []
    if "FIELD" in accepted:
        if "NOT" in accepted:
            return "a condition such as metrics.val_loss < 3.28"
        if "STRING" not in accepted:
            return "a metric such as metrics.val_loss"
        return "a value or a field"
    if {"NUMBER", "STRING"} <= accepted:
        phrases.append("a number or a text in quotes")
    elif "NUMBER" in accepted:
        phrases.append("a number")
    elif "STRING" in accepted:
        phrases.append("a text in quotes")
    if accepted >= _LEFT:
        # After something that can be compared, a list of every word helps nobody.
        return "a comparison such as = or <, IN, BETWEEN, LIKE or IS NULL"
    phrases += [phrase for kind, phrase in _PHRASES.items() if kind in accepted and phrase]
    return either(phrases or ["something else"])
