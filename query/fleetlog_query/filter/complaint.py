"""Errors that point at a place in a text: the field, the column, what was expected, and a line with a caret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from fleetlog_core.errors import InvalidArgument, Violation

_WINDOW = 60
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Source:
    """A text, and the name of the request's field that it came in: "filter", "order_by[2]"."""

    field: str
    text: str

    def refusal(self, reason: str, span: Span, description: str) -> InvalidArgument:
        """The error for the place. Columns count characters from 1."""
        column = span.start + 1
        message = f"{self.field}, column {column}: {description}\n{self._pointed(span)}"
        return InvalidArgument(
            reason,
            message,
            violations=(Violation(self.field, f"column {column}: {description}"),),
            metadata={"column": str(column)},
        )

    def _pointed(self, span: Span) -> str:
        """The text around the place, and a caret below it. Long texts are cut, odd characters are dots."""
        first = max(0, span.start - _WINDOW // 2)
        last = min(len(self.text), first + _WINDOW)
        line = ("…" if first else "") + printable(self.text[first:last]) + ("…" if last < len(self.text) else "")
        place = span.start - first + (1 if first else 0)
        return f"  {line}\n  {' ' * place}{'^' * max(1, min(span.end, last) - span.start)}"


def printable(text: str) -> str:
    """The text with everything but printable ASCII as dots: one character for each."""
    return _UNPRINTABLE.sub("·", text)


def quoted(text: str, characters: int = 40) -> str:
    """A piece of the text for a message, in quotes, cut."""
    cut = text if len(text) <= characters else text[: characters - 1] + "…"
    return f"'{_UNPRINTABLE.sub('·', cut[:-1])}{cut[-1:] if cut.endswith('…') else printable(cut[-1:])}'"


def suggestion(word: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for a word that is close to a known one, else nothing."""
    close = difflib.get_close_matches(word.lower()[:100], list(known), 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
