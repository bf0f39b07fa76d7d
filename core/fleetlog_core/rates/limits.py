"""The limits that a server has for callers, as its settings say them. Frozen: other ones are another object."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Rate(StrEnum):
    """What is counted by the second; the value is the setting's name."""

    CALLS = "calls_per_second"
    POINTS = "points_per_second"
    BYTES = "bytes_per_second"
    ROWS = "rows_per_second"
    READ_SECONDS = "read_seconds_per_second"


class Lasting(StrEnum):
    """What is counted while it lasts; the value is the setting's name."""

    STREAMS = "streams"
    WATCHES = "watches"


RATE_REASONS = {
    Rate.CALLS: "CALL_RATE",
    Rate.POINTS: "POINT_RATE",
    Rate.BYTES: "BYTE_RATE",
    Rate.ROWS: "ROW_RATE",
    Rate.READ_SECONDS: "READ_SECONDS_RATE",
}
"""Reason of the error of each."""
LASTING_REASONS = {Lasting.STREAMS: "TOO_MANY_STREAMS", Lasting.WATCHES: "TOO_MANY_WATCHES"}
WORDS = {
    Rate.CALLS: "calls",
    Rate.POINTS: "points logged",
    Rate.BYTES: "bytes written",
    Rate.ROWS: "rows read in the tables",
    Rate.READ_SECONDS: "seconds of statements",
    Lasting.STREAMS: "streams",
    Lasting.WATCHES: "watches",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one caller, or of one namespace. 0 = there is none."""

    calls_per_second: float = 0.0
    points_per_second: float = 0.0
    bytes_per_second: float = 0.0
    rows_per_second: float = 0.0
    read_seconds_per_second: float = 0.0
    streams: int = 0
    watches: int = 0

    def rate(self, kind: Rate) -> float:
        """Amount a second; 0 = any."""
        found: float = getattr(self, kind.value)
        return found

    @property
    def has_writes(self) -> bool:
        """True if it matters what a write costs."""
        return bool(self.points_per_second or self.bytes_per_second)

    def most(self, kind: Lasting) -> int:
        """Number at a time; 0 = any."""
        found: int = getattr(self, kind.value)
        return found


@dataclass(frozen=True, slots=True)
class Quotas:
    """What a namespace may store. 0 = any."""

    runs: int = 0
    """Runs, deleted ones among them until they are purged."""
    artifact_bytes: int = 0
    """Bytes of files of runs and logged models that were not deleted."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """All of them."""

    caller: Limits = field(default_factory=Limits)
    namespace: Limits = field(default_factory=Limits)
    burst_seconds: float = 10.0
    """Seconds' worth of a rate that may be used at once."""
    quotas: Quotas = field(default_factory=Quotas)
    """Quotas of each namespace."""
