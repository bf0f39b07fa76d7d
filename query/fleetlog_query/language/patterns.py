r"""LIKE, ILIKE and MATCHES: patterns in the one form that the evaluator and the warehouse both take.

In LIKE, % is any characters, _ is one, a backslash takes %, _ and \ literally and is itself before anything else,
also at the end. ClickHouse is not of one mind about the rest, so patterns are written anew. ILIKE is such a pattern
as a regular expression of RE2 without case. MATCHES finds an RE2 expression anywhere in the text; . is any
character, line ends too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import re2
from fleetlog_core.errors import shown

_PIECE = re.compile(r"\\[%_\\]|%+|.", re.DOTALL)
PROGRAM_BYTES = 1 << 20
"""Maximum bytes of a compiled expression."""


def like_pattern(pattern: str) -> str:
    """The LIKE pattern with every literal backslash escaped."""
    return "".join("\\\\" if piece == "\\" else piece for piece in _pieces(pattern))


def is_plain(pattern: str) -> bool:
    """True if a LIKE pattern has wildcards at its ends alone, and is no more than a comparison of texts."""
    pieces = _pieces(pattern)
    return not {"%", "_"} & set(pieces[1:-1]) and "_" not in pieces


def plain_test(pattern: str) -> Callable[[str], bool]:
    """Test of what `is_like` says of texts, for a `like_pattern` that is plain."""
    pieces = _pieces(pattern)
    first, last = bool(pieces) and pieces[0] == "%", bool(pieces) and pieces[-1] == "%"
    literal = "".join(piece[-1] for piece in pieces if piece != "%")
    if first and last:
        return lambda text: literal in text
    if first:
        return lambda text: text.endswith(literal)
    return lambda text: text.startswith(literal) if last else text == literal


def like_expression(pattern: str) -> str:
    """The expression of RE2 that matches what a LIKE pattern does."""
    return _anchored(pattern, "(?s)")


def ilike_expression(pattern: str) -> str:
    """The expression of RE2 that matches what a LIKE pattern does, whatever the case."""
    return _anchored(pattern, "(?is)")


def _anchored(pattern: str, flags: str) -> str:
    pieces = _pieces(pattern)
    first, last = 0, len(pieces)
    while first < last and pieces[first] == "%":
        first += 1
    while last > first and pieces[last - 1] == "%":
        last -= 1
    # Without an anchor rather than with .* there: a search can stop early.
    start, end = "" if first else "\\A", "" if last < len(pieces) else "\\z"
    if first == len(pieces) > 0:
        start = end = ""
    return f"{flags}{start}{''.join(map(_expression_of, pieces[first:last]))}{end}"


def _pieces(pattern: str) -> list[str]:
    """Pieces of a LIKE pattern; several % in a row are one."""
    return ["%" if piece[0] == "%" else piece for piece in _PIECE.findall(pattern)]


def _expression_of(piece: str) -> str:
    if piece == "%":
        return ".*"
    return "." if piece == "_" else re2.escape(piece[-1])


def diagnosis(expression: str) -> str | None:
    """Message of what is wrong with an expression of MATCHES; None when it is fine."""
    if "\0" in expression:
        return "NUL can't be in an expression"
    try:
        _compiled(expression)
    except re2.error as error:
        what = error.args[0]
        said = what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
        return f"not a regular expression of RE2: {shown(said)[1:-1]}"
    return None


@lru_cache(maxsize=1_000)
def program_size(expression: str) -> int:
    """Instructions of an expression that compiles, as RE2 compiles it."""
    return int(_uncached(expression)._regexp.ProgramSize())


@lru_cache(maxsize=100)
def _compiled(expression: str) -> re2._Regexp:
    return _uncached(expression)


def _uncached(expression: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = PROGRAM_BYTES
    options.log_errors = False
    options.dot_nl = True
    return re2.compile(expression, options)


def finds(expression: str, text: str) -> bool:
    """True if the text has a place that an expression (that compiles) matches. Linear in the text."""
    return _compiled(expression).search(text) is not None


def is_like(pattern: str, text: str) -> bool:
    """True if the whole text is like a `like_pattern`."""
    pieces = _pieces(pattern)
    # Greedy: on a mismatch only the last % can take one character more.
    at = place = star = resume = 0
    seen = False
    while place < len(text):
        if at < len(pieces) and pieces[at] == "%":
            seen, star, resume = True, at, place
            at += 1
        elif at < len(pieces) and (pieces[at] == "_" or (pieces[at][-1] == text[place] and pieces[at] != "%")):
            at += 1
            place += 1
        elif seen:
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return all(piece == "%" for piece in pieces[at:])
