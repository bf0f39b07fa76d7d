"""What a reader could not read, each thing once, however often it is come by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fleetlog.importers.source import Unread

FAULTS = 10_000
"""Faults that are told one by one; those beyond are counted."""


class UnreadItems:
    """A list of what was left out, in the order in which it was found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int | None], Unread] = {}
        self._beyond = 0

    def add(self, where: str, why: str, offset: int | None = None, count: int = 1, *, is_fault: bool = True) -> None:
        """Tell of something: a second report of the place and the reason replaces the first."""
        key = (where, why, offset)
        if key in self._found or len(self._found) < FAULTS:
            self._found[key] = Unread(where, why, offset, count, is_fault)
        else:
            self._beyond += 1

    def count(self, where: str, why: str, count: int = 1, *, is_fault: bool = False) -> None:
        """Tell of more of a kind that is counted and not told one by one."""
        if not count:
            return
        key = (where, why, None)
        before = self._found.get(key)
        if before is None:
            self.add(where, why, count=count, is_fault=is_fault)
        else:
            self._found[key] = replace(before, count=before.count + count)

    def __call__(self) -> Sequence[Unread]:
        """What was told so far."""
        found = list(self._found.values())
        if self._beyond:
            found.append(Unread("", "more that could not be read", count=self._beyond))
        return found
