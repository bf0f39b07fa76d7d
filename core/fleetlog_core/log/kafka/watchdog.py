"""Which partitions have been quiet for too long to believe it."""

from __future__ import annotations

from collections.abc import Iterable

from fleetlog_core.log.port import Partition


class Watchdog:
    """Names partitions that made no progress for `seconds`. Reads no clock: times are given, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Partition, float] = {}
        self._strikes: dict[Partition, int] = {}

    def progressed(self, partition: Partition, now: float) -> None:
        """It gave records, or there are none to give."""
        self._since[partition] = now
        self._strikes.pop(partition, None)

    def struck(self, partition: Partition, now: float) -> int:
        """It has records and gives none. Answers how many times in a row; the next time is `seconds` away."""
        self._since[partition] = now
        self._strikes[partition] = self._strikes.get(partition, 0) + 1
        return self._strikes[partition]

    def quiet(self, partitions: Iterable[Partition], now: float) -> list[Partition]:
        """Partitions that are due for a look. A new one begins now; partitions that are not given are forgotten."""
        self._since = {partition: self._since.get(partition, now) for partition in partitions}
        self._strikes = {partition: count for partition, count in self._strikes.items() if partition in self._since}
        return sorted(partition for partition, since in self._since.items() if now - since >= self._seconds)
