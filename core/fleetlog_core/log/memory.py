"""The event log in memory: the reference that the other adapters are held against. Survives nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from fleetlog_core.log.groups import GroupMember, Groups
from fleetlog_core.log.partitions import partition_counts, partition_of
from fleetlog_core.log.port import Commit, LogUnavailable, Partition, Record


class MemoryLog:
    """See EventLog."""

    def __init__(self, partitions: Mapping[str, int] | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts = partition_counts(partitions)
        self._records: dict[Partition, list[Record]] = {
            Partition(topic, number): [] for topic, count in self._counts.items() for number in range(count)
        }
        self._commits: dict[tuple[str, Partition], Commit] = {}
        self._groups = Groups()
        self._lock = threading.Lock()
        self._closed = False

    def partitions(self, topic: str) -> int:
        """See EventLog."""
        return self._counts[topic]

    def generation(self) -> int:
        """See EventLog. Nothing that was accepted fails here."""
        return 0

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        now = int(self._clock() * 1000)
        return self._append(Partition(topic, partition_of(key, self._counts[topic])), key, value, now)

    def append_copies(self, records: Sequence[Record]) -> list[Future[Record]]:
        """See CopyTarget."""
        return [self._append(record.partition, record.key, record.value, record.time_millis) for record in records]

    def _append(self, partition: Partition, key: bytes, value: bytes, time_millis: int) -> Future[Record]:
        done: Future[Record] = Future()
        with self._lock:
            if self._closed:
                done.set_exception(LogUnavailable("the log is closed"))
                return done
            records = self._records[partition]
            record = Record(partition, len(records), key, value, time_millis)
            records.append(record)
        done.set_result(record)
        self._groups.notify()
        return done

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """See EventLog."""
        found: list[Record] = []
        size = 0
        for record in self._records[partition][offset:]:
            if found and size + len(record.value) > max_bytes:
                break
            found.append(record)
            size += len(record.value)
        return found

    def next_offset(self, partition: Partition) -> int:
        """See EventLog."""
        return len(self._records[partition])

    def check_writable(self) -> None:
        """See EventLog."""
        with self._lock:
            if self._closed:
                raise LogUnavailable("the log is closed")

    def consumer(self, group: str, topics: Sequence[str]) -> GroupMember:
        """See EventLog."""
        return self._groups.join(group, [p for p in self._records if p.topic in topics], self)

    def load_commit(self, group: str, partition: Partition) -> Commit | None:
        """See GroupStore."""
        return self._commits.get((group, partition))

    def store_commit(self, group: str, partition: Partition, commit: Commit) -> None:
        """See GroupStore."""
        self._commits[(group, partition)] = commit

    def close(self) -> None:
        """See EventLog."""
        with self._lock:
            self._closed = True
