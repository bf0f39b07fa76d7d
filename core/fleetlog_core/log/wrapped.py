"""A log that hands everything on to another: what stands before a log overrides what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from fleetlog_core.log.port import Consumer, EventLog, Partition, Record


class WrappedLog:
    """See EventLog: the one that it is given."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def partitions(self, topic: str) -> int:
        """See EventLog."""
        return self._log.partitions(topic)

    def generation(self) -> int:
        """See EventLog."""
        return self._log.generation()

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        return self._log.append(topic, key, value, generation=generation)

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """See EventLog."""
        return self._log.read(partition, offset, max_bytes=max_bytes)

    def next_offset(self, partition: Partition) -> int:
        """See EventLog."""
        return self._log.next_offset(partition)

    def check_writable(self) -> None:
        """See EventLog."""
        self._log.check_writable()

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """See EventLog."""
        return self._log.consumer(group, topics)

    def close(self) -> None:
        """See EventLog."""
        self._log.close()
