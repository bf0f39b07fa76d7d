"""Serials of frames that have their answers, in whatever order they come. Pure."""

from __future__ import annotations


class Serials:
    """Serials count from 1, and each is given out once."""

    def __init__(self) -> None:
        self.next = 1
        """The next one to give out."""
        self.low = 1
        """Every one below it has its answer."""
        self._beyond: set[int] = set()

    def give(self, count: int) -> int:
        """Give out so many; the first of them."""
        first = self.next
        self.next += count
        return first

    def answered(self, serial: int) -> None:
        """One has its answer."""
        if serial != self.low:
            self._beyond.add(serial)
            return
        self.low += 1
        while self.low in self._beyond:
            self._beyond.remove(self.low)
            self.low += 1

    @property
    def outstanding(self) -> int:
        """Number of those without an answer."""
        return self.next - self.low - len(self._beyond)
