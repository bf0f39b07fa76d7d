"""Requests of a stream that have no answer yet, in their order, and since when the stream is silent."""

from __future__ import annotations

import time
from collections import deque


class OwedAnswers:
    """Requests of the stream there is. Used with the lock of what is in flight."""

    def __init__(self) -> None:
        self._requests: deque[int] = deque()
        """How many frames each has; 0: it is of heartbeats."""
        self._heard = 0.0
        """When the stream last answered, or began to owe an answer (monotonic)."""

    def begin(self) -> None:
        """A new stream owes nothing."""
        self._requests.clear()

    def sent(self, frames: int) -> None:
        """A request of so many frames is sent."""
        self._requests.append(frames)

    def sent_heartbeats(self) -> bool:
        """A request of heartbeats is sent; False when the one before has no answer yet."""
        if self.has_heartbeats:
            return False
        if not self._requests:
            self.hear()
        self._requests.append(0)
        return True

    def answered(self) -> int:
        """A request has its answer: how many frames it speaks of."""
        self.hear()
        return self._requests.popleft()

    def hear(self) -> None:
        """The stream answers, or begins to owe an answer."""
        self._heard = time.monotonic()

    @property
    def has_heartbeats(self) -> bool:
        """True if heartbeats have no answer yet."""
        return 0 in self._requests

    @property
    def next_frames(self) -> int:
        """Number of frames whose answers are next; 0 when none are owed."""
        return self._requests[0] if self._requests else 0

    @property
    def silent_seconds(self) -> float:
        """Seconds since the stream was heard of."""
        return time.monotonic() - self._heard
