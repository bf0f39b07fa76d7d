"""What fails just now: conditions with a name, which faults begin and end."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class Condition(StrEnum):
    """Conditions of an engine, or of what is named behind a colon: a machine, a process."""

    LOG_AWAY = "the log takes nothing"
    LOG_AMBIGUOUS = "the log takes, and says that it did not"
    LOG_BLINKS = "the log fails what is under way, and takes what comes next"
    LOG_SLOW = "the log is slow"
    WAREHOUSE_AWAY = "the warehouse takes nothing"
    WAREHOUSE_AMBIGUOUS = "the warehouse may take, and says that it did not"
    WAREHOUSE_SLOW = "the warehouse is slow"
    DISK_FULL = "the disk is full"
    DISK_BROKEN = "the disk can't sync"
    UNREACHABLE = "no server can be reached"
    SILENT = "nothing arrives, and nobody is told"


class Weather:
    """The conditions there are."""

    def __init__(self) -> None:
        self._there: Counter[tuple[Condition, str]] = Counter()

    def begin(self, condition: Condition, where: str = "") -> None:
        """It begins, once more perhaps."""
        self._there[condition, where] += 1

    def end(self, condition: Condition, where: str = "") -> None:
        """It ends, as often as it began."""
        self._there[condition, where] -= 1

    def has(self, condition: Condition, where: str = "") -> bool:
        """True if it is so."""
        return self._there[condition, where] > 0
