"""How far a materializer has come, for whoever asks from beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fleetlog_core.log.lag import Lag, lag_of
from fleetlog_core.log.port import EventLog, Partition


class Progress:
    """The partitions of a materializer with the next offset to be applied. Thread-safe.

    The log is asked anew each time: what stands still shows as a lag that grows.
    """

    def __init__(self, log: EventLog, now: Callable[[], float] = time.time) -> None:
        self._log = log
        self._now = now
        self._lock = threading.Lock()
        self._next: dict[Partition, int] = {}

    def reached(self, partition: Partition, next_offset: int) -> None:
        """All before `next_offset` is applied."""
        with self._lock:
            self._next[partition] = next_offset

    def gone(self, partition: Partition) -> None:
        """The partition is not this materializer's any more."""
        with self._lock:
            self._next.pop(partition, None)

    def partitions(self) -> list[Partition]:
        """The partitions of this materializer."""
        with self._lock:
            return list(self._next)

    def lags(self) -> dict[Partition, Lag]:
        """The lag of each partition. LogUnavailable, RecordsGone."""
        with self._lock:
            reached = sorted(self._next.items())
        now_millis = int(self._now() * 1000)
        return {partition: lag_of(self._log, partition, offset, now_millis) for partition, offset in reached}
