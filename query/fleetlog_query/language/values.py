"""What a plan compares: values of a run, by where they are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fleetlog_core.errors import SHOWN_CHARACTERS, shown
from fleetlog_core.warehouse.schema import BUCKET_STEPS

from fleetlog_query.language.fields import Kind
from fleetlog_query.language.tree import Sign

EVERY = (-(1 << 63), (1 << 63) - 1)
NONE = (0, -1)
Reduction = Literal["min", "max", "mean", "first", "last", "count"]


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute, or the latest value of a param, tag or metric."""

    kind: Kind
    key: str


@dataclass(frozen=True, slots=True)
class TextOf:
    """A param, a tag or an attribute of text as a text: what runs are sorted by, numbers too."""

    key: Key


@dataclass(frozen=True, slots=True)
class Window:
    """Points by ranges that hold both their ends. Times are Unix milliseconds; rank -1 is a writer without one.

    The bounds are 64-bit; a range whose low is above its high holds nothing.
    """

    steps: tuple[int, int] = EVERY
    times: tuple[int, int] = EVERY
    ranks: tuple[int, int] = EVERY

    def split(self) -> tuple[tuple[int, int] | None, list[tuple[int, int]]]:
        """The whole buckets of `rollup` in it, first and last, and the ranges of steps beside them.

        Without a whole bucket, or when it is not of steps alone: None, and nothing.
        """
        low, high = self.steps
        first, last = -(-low // BUCKET_STEPS), (high + 1) // BUCKET_STEPS - 1
        if first > last or self.times != EVERY or self.ranks != EVERY:
            return None, []
        edges = [(low, first * BUCKET_STEPS - 1), ((last + 1) * BUCKET_STEPS, high)]
        return (first, last), [(one, two) for one, two in edges if one <= two]


@dataclass(frozen=True, slots=True)
class Series:
    """A metric reduced to a number, over all its points or those of a window.

    min, max and mean are over numbers only, and NaN when there are points but no number; first and last are by
    (step, time, value) and may be NaN; count counts NaN too, and is 0 when no point of the metric is in the window.
    The rest lacks a value then.
    """

    function: Reduction
    key: str
    window: Window | None = None

    @property
    def reads_points(self) -> bool:
        """True if points are read for it, rather than what is kept about them."""
        if self.window is None:
            return False
        buckets, edges = self.window.split()
        return buckets is None or bool(edges) or self.function in ("first", "last")


@dataclass(frozen=True, slots=True)
class Computed:
    """Two values joined by a sign, in IEEE 754: x / 0 is infinite, or NaN. Lacking when one of them is."""

    sign: Sign
    left: Value
    right: Value


Value = Key | Series | Computed | float
EXACT = 1 << 53
"""Whole number from which on not every one is a double."""


class Whole(float):
    """A whole number that a filter says, beyond what doubles tell apart: `whole` is exact, its float the nearest."""

    __slots__ = ("whole",)
    whole: int

    @classmethod
    def of(cls, whole: int) -> Whole:
        """The number."""
        made = cls(whole)
        made.whole = whole
        return made

    def __eq__(self, other: object) -> bool:
        """Exact among such numbers: conditions on others are other conditions."""
        return self.whole == other.whole if isinstance(other, Whole) else super().__eq__(other)

    def __lt__(self, other: float) -> bool:
        """Exact among such numbers, as all of these."""
        return self.whole < other.whole if isinstance(other, Whole) else super().__lt__(other)

    def __le__(self, other: float) -> bool:
        """Exact, as __lt__."""
        return self.whole <= other.whole if isinstance(other, Whole) else super().__le__(other)

    def __gt__(self, other: float) -> bool:
        """Exact, as __lt__."""
        return self.whole > other.whole if isinstance(other, Whole) else super().__gt__(other)

    def __ge__(self, other: float) -> bool:
        """Exact, as __lt__."""
        return self.whole >= other.whole if isinstance(other, Whole) else super().__ge__(other)

    def __hash__(self) -> int:
        """Hash of its float."""
        return super().__hash__()


def number_of(value: float, whole: int | None) -> float:
    """A number as a filter says it; `whole`: exactly, when it is whole and says so."""
    if math.isfinite(value) and EXACT <= abs(value) < 1e38:
        return Whole.of(int(value) if whole is None else whole)
    return value


def read_by(value: Value | TextOf | str) -> Iterator[Key | Series]:
    """Values that are read for a value, from left to right; one as often as it is named."""
    if isinstance(value, Computed):
        yield from read_by(value.left)
        yield from read_by(value.right)
    elif isinstance(value, TextOf):
        yield value.key
    elif isinstance(value, Key | Series):
        yield value


def combine(sign: Sign, left: float, right: float) -> float:
    """The arithmetic of Computed."""
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if right != 0:
        return left / right
    # Python raises here; IEEE 754 and the warehouse don't.
    return math.nan if left == 0 else left * math.copysign(math.inf, right)


_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./:-]*[A-Za-z0-9_])?")


def name_of(value: Value | TextOf | str) -> str:
    """The value as a filter would say it; long keys are cut."""
    if isinstance(value, Key):
        return value.key if value.kind == "attributes" else f"{value.kind}.{_key(value.key)}"
    if isinstance(value, Series):
        return f"{value.function}(metrics.{_key(value.key)}{_where(value.window)})"
    if isinstance(value, TextOf):
        return f"text({name_of(value.key)})"
    if isinstance(value, Computed):
        return f"({name_of(value.left)} {value.sign} {name_of(value.right)})"
    if isinstance(value, Whole):
        return str(value.whole)
    return shown(value) if isinstance(value, str) else f"{value:.15g}"


def _key(key: str) -> str:
    if len(key) <= SHOWN_CHARACTERS and _PLAIN.fullmatch(key):
        return key
    return f"`{shown(key)[1:-1]}`"


def _where(window: Window | None) -> str:
    if window is None:
        return ""
    ranges = {"step": window.steps, "time": window.times, "rank": window.ranks}
    said = [_range(axis, *bounds) for axis, bounds in ranges.items() if bounds != EVERY]
    return f" WHERE {' AND '.join(said)}" if said else ""


def _range(axis: str, low: int, high: int) -> str:
    if low == high:
        return f"{axis} = {low}"
    if low == EVERY[0]:
        return f"{axis} <= {high}"
    return f"{axis} >= {low}" if high == EVERY[1] else f"{axis} BETWEEN {low} AND {high}"
