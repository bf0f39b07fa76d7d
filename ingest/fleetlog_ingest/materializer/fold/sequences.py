"""Sets of sequences of one writer: which of its events were applied."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class SequenceSet:
    """Positive whole numbers, kept as disjoint inclusive ranges in order that never touch.

    A writer's sequences are nearly always one range from 1, so adding the next one is the case that is fast.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self._firsts.append(first)
            self._lasts.append(last)

    @classmethod
    def parse(cls, text: str) -> SequenceSet:
        """The inverse of `text`."""
        ranges = []
        for part in text.split(",") if text else ():
            first, _, last = part.partition("-")
            ranges.append((int(first), int(last or first)))
        return cls(ranges)

    def text(self) -> str:
        """As `writers.ranges` holds it: "1-17,20-22", a lone number as "5-5"."""
        return ",".join(f"{first}-{last}" for first, last in zip(self._firsts, self._lasts, strict=True))

    def copy(self) -> SequenceSet:
        """An equal set that changes by itself."""
        return SequenceSet(zip(self._firsts, self._lasts, strict=True))

    @property
    def last(self) -> int:
        """The highest; 0 when it is empty."""
        return self._lasts[-1] if self._lasts else 0

    def __contains__(self, sequence: int) -> bool:
        place = bisect_right(self._firsts, sequence) - 1
        return place >= 0 and sequence <= self._lasts[place]

    def add(self, sequence: int) -> bool:
        """Put it in; False when it was there."""
        firsts, lasts = self._firsts, self._lasts
        if lasts and sequence == lasts[-1] + 1:
            lasts[-1] = sequence
            return True
        place = bisect_right(firsts, sequence) - 1
        if place >= 0 and sequence <= lasts[place]:
            return False
        joins_left = place >= 0 and lasts[place] + 1 == sequence
        joins_right = place + 1 < len(firsts) and firsts[place + 1] == sequence + 1
        if joins_left and joins_right:
            lasts[place] = lasts.pop(place + 1)
            firsts.pop(place + 1)
        elif joins_left:
            lasts[place] = sequence
        elif joins_right:
            firsts[place + 1] = sequence
        else:
            firsts.insert(place + 1, sequence)
            lasts.insert(place + 1, sequence)
        return True
