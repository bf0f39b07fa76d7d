"""How far a materializer has come, for whoever asks from beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fleetlog_core.log.port import EventLog, Partition, RecordsGone
from fleetlog_core.serving.telemetry import Lag


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

    def lags(self) -> list[Lag]:
        """The lag of each partition. LogUnavailable."""
        with self._lock:
            reached = sorted(self._next.items())
        return [self._lag(partition, next_offset) for partition, next_offset in reached]

    def _lag(self, partition: Partition, next_offset: int) -> Lag:
        records = max(0, self._log.next_offset(partition) - next_offset)
        if records == 0:
            return Lag(partition, 0, 0.0)
        try:
            oldest = self._log.read(partition, next_offset, max_bytes=1)
        except RecordsGone:
            return Lag(partition, records, None)
        # Writers' clocks may be ahead of ours.
        return Lag(partition, records, max(0.0, self._now() - oldest[0].time_millis / 1000) if oldest else None)
