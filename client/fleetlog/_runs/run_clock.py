"""The time in a run: that of its start, and what a clock that nobody sets has counted since then."""

from __future__ import annotations

import time

JUMP_SECONDS = 60.0
"""A difference of the two clocks that is told: somebody set the one on the wall, or the machine slept."""
_NANOS = 1_000_000


class RunClock:
    """Times of one run. A wall clock that is set meanwhile makes it neither longer nor shorter, nor turns it around."""

    __slots__ = ("_offset_nanos",)

    def __init__(self) -> None:
        self._offset_nanos = time.time_ns() - time.monotonic_ns()

    def now_millis(self) -> int:
        """Unix milliseconds."""
        return (time.monotonic_ns() + self._offset_nanos) // _NANOS

    def jump_seconds(self) -> float:
        """Seconds by which the wall clock was set forward (or, negative, back) since the start."""
        return (time.time_ns() - time.monotonic_ns() - self._offset_nanos) / 1e9
