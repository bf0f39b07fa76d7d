"""Appends to Kafka: from any thread, without waiting, acknowledged by each send's own future.

`send` of the driver may block on metadata, so one thread calls it and appends only queue. What is queued and sent but
not durable is bounded in bytes. A flush of the driver reports no failures, so nothing here asks it.

When one append fails, all that are open fail with it, at that moment, and another producer takes the place of this one.
Otherwise a later append could become durable without an earlier one, and its caller, who does the earlier one again,
would have them in the wrong order: brokers refuse a batch whose predecessor they lack only while the producer keeps its
id, and the driver takes another id after a batch that it gives up. The generation rises at that moment: callers who
append one after the other, and have not heard of the failure yet, append nothing behind it.

The driver's own delivery timeout does not hold: while it asks for a new producer id it looks at no batch; and brokers
that were away may leave it so for ever, also when they are back. So the time of an append is watched here, and the
driver's is longer. An append's bytes count for as long as the driver has them, or twice its time.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import takewhile

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from kafka.producer.future import RecordMetadata

from fleetlog_core.log.kafka.clients import named, opened
from fleetlog_core.log.kafka.settings import RECORD_BYTES, KafkaSettings
from fleetlog_core.log.port import BEHIND_FAILURE, LogUnavailable, Partition, Record, RecordTooLarge

OVERHEAD_BYTES = 500
"""About what a waiting append takes in memory besides its bytes."""
PRODUCER_BATCH_BYTES = 1024 * 1024
REQUEST_BYTES = 16 * 1024 * 1024
LOOK_SECONDS = 0.25
"""How often it is looked for appends whose time is over."""
_diagnostics = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Append:
    partition: Partition
    key: bytes
    value: bytes
    time_millis: int | None
    done: Future[Record]
    until: float
    """When its time is over (monotonic)."""

    def weight(self) -> int:
        return len(self.key) + len(self.value) + OVERHEAD_BYTES


class Writer:
    """The one producer of a log. Not to be used after a fork."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = _open_producer(settings)
        self._queue: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open: dict[_Append, None] = {}
        """Appends whose callers wait, oldest first."""
        self._held: dict[_Append, None] = {}
        """Appends that take memory: the open ones, and others that the driver did not let go of in time."""
        self._bytes = 0
        self._is_broken = False
        """An append failed, and the producer that had it is not replaced yet."""
        self.generation = 0
        """See EventLog."""
        self._closed = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="log-writer", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="log-deadlines", daemon=True).start()

    def append(
        self,
        partition: Partition,
        key: bytes,
        value: bytes,
        time_millis: int | None = None,
        *,
        generation: int | None = None,
    ) -> Future[Record]:
        """As EventLog.append, into a given partition, at the producer's time or a given one."""
        done: Future[Record] = Future()
        # A caller who cancels it would not stop the record; so it can't be cancelled.
        done.set_running_or_notify_cancel()
        if len(key) + len(value) > RECORD_BYTES:
            done.set_exception(
                RecordTooLarge(f"a record of {len(key) + len(value):,} bytes; Kafka's topics take {RECORD_BYTES:,}")
            )
            return done
        item = _Append(partition, key, value, time_millis, done, time.monotonic() + self._settings.delivery_seconds)
        with self._lock:
            if self._closed:
                done.set_exception(LogUnavailable("the log is closed"))
            elif generation is not None and generation != self.generation:
                done.set_exception(LogUnavailable(BEHIND_FAILURE))
            elif self._bytes + item.weight() > self._settings.buffer_bytes:
                done.set_exception(LogUnavailable(f"{self._bytes:,} bytes wait for Kafka already; nothing was written"))
            else:
                self._open[item] = self._held[item] = None
                self._bytes += item.weight()
                self._queue.put(item)
        return done

    def close(self) -> None:
        """Send what waits, up to `delivery_seconds`; fail what is not durable by then. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join(self._settings.delivery_seconds)
        _close(self._producer, self._settings.delivery_seconds)
        self._ended.set()
        with self._lock:
            left = list(self._open)
        for item in left:
            self._fail(item, LogUnavailable("the log was closed before Kafka had the record"))

    def _send_all(self) -> None:
        """The sending thread."""
        while True:
            try:
                item = self._queue.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                with contextlib.suppress(LogUnavailable):
                    self._replace_dead_producer()
                continue
            if item is None:
                return
            try:
                if not item.done.done():
                    self._replace_dead_producer()
            except LogUnavailable as error:
                # It took its time; those that queued meanwhile don't wait as long each.
                self._break(error)
            if item.done.done():
                # Its caller was told already; it was never sent, so it takes nothing any more.
                self._settle(item)
                continue
            try:
                sent = self._producer.send(
                    self._settings.topic(item.partition.topic),
                    key=item.key,
                    value=item.value,
                    partition=item.partition.number,
                    timestamp_ms=item.time_millis,
                )
            except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
                # Said of this record, before it was sent.
                self._fail(item, RecordTooLarge(f"a record of {len(item.value):,} bytes: {named(error)}"))
            except Exception as error:
                # Whatever it is, the caller of this append must hear of it and the next one must be tried.
                self._failed(item, error)
            else:
                # Called in the producer's own thread, per record and in order.
                sent.add_callback(self._sent, item)
                sent.add_errback(self._failed, item)

    def _replace_dead_producer(self) -> None:
        """The driver's producer takes nothing any more once a broker has refused a batch for good. LogUnavailable.

        Nor may one that had an append which failed.
        """
        with self._lock:
            lost = _until(self._held, time.monotonic() - self._settings.delivery_seconds)
        for item in lost:
            self._settle(item)
        if self._producer._transaction_manager.has_fatal_error():
            self._break(LogUnavailable("Kafka refuses this producer"))
        if self._is_broken:
            _diagnostics.warning("the producer can't go on; a new one takes its place")
            fresh = _open_producer(self._settings)
            _close(self._producer, 0)
            with self._lock:
                self._producer, self._is_broken = fresh, False

    def _watch(self) -> None:
        """Tell the callers whose time is over. What the driver has of theirs may still become durable."""
        while not self._ended.wait(LOOK_SECONDS):
            with self._lock:
                is_late = bool(_until(self._open, time.monotonic()))
            if is_late:
                self._break(LogUnavailable(f"Kafka did not take a record within {self._settings.delivery_seconds:g} s"))

    def _break(self, error: LogUnavailable) -> None:
        """Whatever is open fails, and the producer sends nothing any more. From any thread."""
        with self._lock:
            failed = list(self._open)
            self._open.clear()
            self._is_broken = True
            self.generation += 1
            producer = self._producer
        # What it is sending may still go out, in order; then no more.
        producer._sender.force_close()
        for item in failed:
            item.done.set_exception(LogUnavailable(str(error)))

    def _sent(self, item: _Append, metadata: RecordMetadata) -> None:
        offset = int(metadata.offset)
        if offset < 0:
            # A retry that the broker knew as done, too long ago to say where.
            self._failed(item, LogUnavailable("Kafka has the record and doesn't say at which offset"))
        elif self._settle(item):
            item.done.set_result(Record(item.partition, offset, item.key, item.value, int(metadata.timestamp)))

    def _failed(self, item: _Append, error: BaseException) -> None:
        # Whatever the error is: what brokers say of one batch the driver says of all that are out, and some of those
        # may be durable. So a record that a broker finds too large is one to try again, when its topic takes it.
        with self._lock:
            is_open = item in self._open
        if is_open:
            self._break(LogUnavailable(f"Kafka did not take a record of {len(item.value):,} bytes: {named(error)}"))
        self._settle(item)

    def _fail(self, item: _Append, error: Exception) -> None:
        if self._settle(item):
            item.done.set_exception(error)

    def _settle(self, item: _Append) -> bool:
        """The driver is done with it. Whether its caller still waits to be told."""
        with self._lock:
            if item in self._held:
                del self._held[item]
                self._bytes -= item.weight()
            if item not in self._open:
                return False
            del self._open[item]
            return True


def _until(items: Iterable[_Append], when: float) -> list[_Append]:
    """Items whose time is over at `when`; they are given in the order in which it ends."""
    return list(takewhile(lambda item: item.until <= when, items))


def _close(producer: KafkaProducer, timeout_seconds: float) -> None:
    """Also when it keeps records: the driver's own close breaks off at those, and lets its thread run."""
    try:
        producer.close(timeout=timeout_seconds)
    except KafkaError as error:
        _diagnostics.warning("the producer ends with records that are not durable: %s", named(error))
        producer._sender.force_close()


def _open_producer(settings: KafkaSettings) -> KafkaProducer:
    """A producer that knows the topics. LogUnavailable."""
    producer = opened(
        KafkaProducer,
        settings,
        acks="all",
        # Said, because other settings switch it off in silence when it is not.
        enable_idempotence=True,
        compression_type=None if settings.compression == "none" else settings.compression,
        linger_ms=settings.linger_millis,
        batch_size=PRODUCER_BATCH_BYTES,
        max_request_size=REQUEST_BYTES,
        # Above ours, which is watched here: what the driver gives up by itself it leaves a gap for.
        delivery_timeout_ms=int(settings.delivery_seconds * 3000),
        max_block_ms=int(settings.request_seconds * 1000),
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    try:
        for topic in settings.counts():
            # From here on the metadata are known, and a send does not wait for them.
            producer.partitions_for(settings.topic(topic))
    except (KafkaError, OSError) as error:
        producer.close(timeout=0)
        raise LogUnavailable(f"Kafka at {','.join(settings.bootstrap)}: {named(error)}") from error
    return producer
