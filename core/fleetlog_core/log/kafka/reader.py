"""Reads of given partitions at given offsets, outside of any consumer group."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from fleetlog_core.log.kafka.clients import named, opened
from fleetlog_core.log.kafka.settings import BATCH_BYTES, KafkaSettings
from fleetlog_core.log.port import LogUnavailable, Partition, Record, RecordsGone

READERS = 4
POLL_RECORDS = 1_000
"""Taken from the driver at a time, so that a short read parses few."""


def open_consumer(settings: KafkaSettings, *, group: str | None, wait_millis: int) -> KafkaConsumer:
    """A consumer with nothing left to its unsafe defaults. `wait_millis`: how long a broker may hold a fetch."""
    return opened(
        KafkaConsumer,
        settings,
        group_id=group,
        # Where a partition starts is said with a seek; a jump to another offset is found by its reader.
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        isolation_level="read_uncommitted",
        max_poll_records=POLL_RECORDS,
        fetch_max_wait_ms=wait_millis,
        max_partition_fetch_bytes=BATCH_BYTES,
        fetch_max_bytes=4 * BATCH_BYTES,
        session_timeout_ms=int(settings.session_seconds * 1000),
        heartbeat_interval_ms=min(1_000, int(settings.session_seconds * 1000 / 3)),
        max_poll_interval_ms=int(settings.most_poll_seconds * 1000),
        metrics_enabled=False,
    )


def record_of(partition: Partition, found: ConsumerRecord) -> Record:
    """The driver's record as ours."""
    return Record(
        partition, int(found.offset), bytes(found.key or b""), bytes(found.value or b""), int(found.timestamp)
    )


def must_follow(partition: Partition, expected: int, found: int) -> None:
    """RecordsGone when the log jumps: Kafka has dropped records, or its end was lost and it starts anew."""
    if found != expected:
        raise RecordsGone(
            f"{partition} goes on at offset {found} where {expected} was expected: Kafka lost or dropped records."
            " Look at the topic's retention and at its brokers' history"
        )


class Readers:
    """A few readers, lent to any thread. One that fails is thrown away."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._changed = threading.Condition()
        self._idle: list[_Reader] = []
        self._lent = 0
        self._closed = False

    def next_offset(self, partition: Partition) -> int:
        """As EventLog.next_offset."""
        with self._lend(partition, -1) as reader:
            return reader.next_offset(partition)

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """As EventLog.read; RecordsGone too."""
        with self._lend(partition, offset) as reader:
            return reader.read(partition, offset, max_bytes)

    def close(self) -> None:
        """Close the readers that are not lent; the others when they come back. Idempotent."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for reader in idle:
            reader.close()

    @contextmanager
    def _lend(self, partition: Partition, offset: int) -> Iterator[_Reader]:
        reader = self._take(partition, offset)
        good = False
        try:
            if reader is None:
                reader = _Reader(self._settings)
            yield reader
            good = True
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"{partition} can't be read: {named(error)}") from error
        finally:
            with self._changed:
                self._lent -= 1
                kept = good and not self._closed
                if kept and reader is not None:
                    self._idle.append(reader)
                self._changed.notify()
            if reader is not None and not kept:
                reader.close()

    def _take(self, partition: Partition, offset: int) -> _Reader | None:
        """An idle reader, best the one that stands there already; None = make one."""
        deadline = time.monotonic() + self._settings.request_seconds
        with self._changed:
            while not self._closed and not self._idle and self._lent >= READERS:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise LogUnavailable(f"{partition} can't be read: {READERS} other reads don't end")
            if self._closed:
                raise LogUnavailable("the log is closed")
            self._lent += 1
            for reader in self._idle:
                if reader.stands_at(partition, offset):
                    self._idle.remove(reader)
                    return reader
            return self._idle.pop() if self._idle else None


class _Reader:
    """One consumer without a group. Keeps what it fetched beyond a read, for the read that goes on there."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer = open_consumer(settings, group=None, wait_millis=10)
        self._partition: Partition | None = None
        self._offset = 0
        self._fetched: deque[Record] = deque()

    def stands_at(self, partition: Partition, offset: int) -> bool:
        return self._partition == partition and self._offset == offset

    def next_offset(self, partition: Partition) -> int:
        place = self._place(partition)
        return int(self._consumer.end_offsets([place], timeout_ms=self._timeout_millis())[place])

    def read(self, partition: Partition, offset: int, max_bytes: int) -> list[Record]:
        if not self.stands_at(partition, offset):
            self._consumer.assign([self._place(partition)])
            self._consumer.seek(self._place(partition), offset)
            self._partition, self._offset = partition, offset
            self._fetched.clear()
        if not self._fetched:
            if offset >= self.next_offset(partition):
                return []
            self._fetch(partition, self._timeout_millis())
            if not self._fetched:
                raise LogUnavailable(f"{partition} has offset {offset}, and Kafka does not send it in time")
        found: list[Record] = []
        size = 0
        while self._fetched and (not found or size + len(self._fetched[0].value) <= max_bytes):
            record = self._fetched.popleft()
            found.append(record)
            size += len(record.value)
            self._offset = record.offset + 1
            if not self._fetched and size < max_bytes:
                # What the driver has at hand, without waiting for more.
                self._fetch(partition, 0)
        return found

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _fetch(self, partition: Partition, timeout_millis: int) -> None:
        expected = self._offset
        for found in self._consumer.poll(timeout_millis).get(self._place(partition), ()):
            must_follow(partition, expected, int(found.offset))
            self._fetched.append(record_of(partition, found))
            expected += 1

    def _place(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._settings.topic(partition.topic), partition.number)

    def _timeout_millis(self) -> int:
        return int(self._settings.request_seconds * 1000)
