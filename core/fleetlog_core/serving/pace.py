"""How fast the other side of a stream is. Pure: the time is told."""

from __future__ import annotations

LEAST_BYTES_PER_SECOND = 16 * 1024
"""What a client on a poor line manages; one that is slower is slow on purpose, or gone."""
WINDOW_SECONDS = 10.0
"""Seconds of waiting for the other side, of which its pace is told."""


class Pace:
    """Bytes that the other side gave or took, by the seconds that it was waited for. Our own seconds don't count."""

    def __init__(
        self, least_bytes_per_second: float = LEAST_BYTES_PER_SECOND, window_seconds: float = WINDOW_SECONDS
    ) -> None:
        self._least = least_bytes_per_second
        self._window = window_seconds
        self._waits_since: float | None = None
        self._waited = 0.0
        self._moved = 0
        self._was_slow = False

    def wait(self, now: float) -> None:
        """From now on it is waited for."""
        self._waits_since = now

    def move(self, size: int, now: float) -> None:
        """It gave or took this many bytes."""
        if self._waits_since is not None:
            self._waited += now - self._waits_since
            self._waits_since = None
        self._moved += size
        if self._waited >= self._window:
            self._was_slow = self._moved < self._least * self._waited
            self._waited, self._moved = 0.0, 0

    def is_slow(self, now: float) -> bool:
        """True if it was below the least pace in its last window, or has let us wait for a whole one just now."""
        return self._was_slow or (self._waits_since is not None and now - self._waits_since >= self._window)
