"""One measured number, with the mark it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number in a unit. `mark` is the goal; `at_most` tells on which side of it the number should be.

    Without a mark it is told as it is.
    """

    name: str
    value: float
    unit: str
    mark: float | None = None
    at_most: bool = True
    detail: str = ""

    @property
    def met(self) -> bool:
        """Whether the mark was met, if there is one."""
        if self.mark is None:
            return True
        return self.value <= self.mark if self.at_most else self.value >= self.mark

    def row(self) -> str:
        """A row of the README's table."""
        told = f"{number(self.value)} {self.unit}"
        if self.mark is None:
            return f"| {self.name} | {told} | – | – | {self.detail} |"
        sign = "≤" if self.at_most else "≥"
        met = "yes" if self.met else "no"
        return f"| {self.name} | {told} | {sign} {number(self.mark)} | {met} | {self.detail} |"


def number(value: float) -> str:
    """The value in three or more digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values are; the nearest one above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
