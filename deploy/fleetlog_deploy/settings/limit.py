"""What a value may be, in a form that can be told to people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol


class Limit(Protocol):
    """What values a setting takes."""

    def admits(self, value: object) -> bool:
        """Whether it may be that value, which has the setting's type."""
        ...

    def words(self) -> str:
        """What it may be."""
        ...


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `least` to `most`, both among them."""

    least: float
    most: float

    def admits(self, value: object) -> bool:
        """See Limit."""
        return isinstance(value, (int, float)) and self.least <= value <= self.most

    def words(self) -> str:
        """See Limit."""
        return f"{self.least:,} to {self.most:,}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Texts that match as a whole."""

    pattern: str
    meaning: str

    def admits(self, value: object) -> bool:
        """See Limit."""
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def words(self) -> str:
        """See Limit."""
        return self.meaning


def matches(pattern: str, meaning: str) -> Pattern:
    """Texts that match the pattern; `meaning` says it in words."""
    return Pattern(pattern, meaning)


def choices(*texts: str) -> Pattern:
    """Choice of one of some texts."""
    return Pattern("|".join(map(re.escape, texts)), "one of " + ", ".join(text for text in texts if text))


def url_of(*forms: str) -> Pattern:
    """A URL whose scheme is that of one of the forms. Empty: not set."""
    schemes = "|".join(re.escape(form.partition(":")[0]) for form in forms)
    return Pattern(f"((?:{schemes}):.+)?", " or ".join(forms))
