r"""LIKE: % is any characters, _ is one, a backslash takes %, _ and \ literally and is itself before anything else.

ClickHouse refuses a lone backslash at the end and is not of one mind about others, so patterns are written anew.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"\\[%_\\]|.", re.DOTALL)


def folded(text: str) -> str:
    """The text without case, as ILIKE compares it: lower case, with one form of the letter sigma."""
    return text.lower().replace("ς", "σ")


def normal(pattern: str, ignore_case: bool) -> str:
    """The same pattern with every literal backslash escaped; folded when case does not matter."""
    # Folding touches no % _ or backslash, and no letter folds to one.
    pieces = _PIECE.findall(folded(pattern) if ignore_case else pattern)
    return "".join("\\\\" if piece == "\\" else piece for piece in pieces)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is like a normal pattern. Linear in text times pattern; nothing backtracks further."""
    pieces: list[str] = _PIECE.findall(pattern)
    return _wild(pieces, text)


def _wild(pieces: list[str], text: str) -> bool:
    # Greedy matching: on a mismatch only the last % can take one character more.
    place = star = resume = 0
    seen = False
    at = 0
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
