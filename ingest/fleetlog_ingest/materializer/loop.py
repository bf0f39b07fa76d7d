"""The materializer: declare, insert, declare.

For each partition the group's commit is {offset: first, metadata: last} while a batch [first..last] is on its way into
the warehouse, and {offset: next, metadata: ""} when all before `next` is in.

    on assignment   last is declared: exactly [first..last] is done again, with the same insert tokens
    a batch         commit {first, last}; fold; insert table by table, `applied` last
    idle            commit {next, ""}: the next batch's declaration would say so too, but there is none yet

Batches never form anew over records whose rows may be in: tokens make a repeat harmless only when it is the same batch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import (
    CONTROL,
    EVENTS,
    Commit,
    Consumer,
    EventLog,
    Fenced,
    LogUnavailable,
    Partition,
    Record,
)
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import Attributes
from fleetlog_core.warehouse.port import Warehouse

from fleetlog_ingest.materializer.apply import Applier, Batch, Stopped
from fleetlog_ingest.materializer.batching import BatchPolicy
from fleetlog_ingest.materializer.dead_letters import write_dead_letters
from fleetlog_ingest.materializer.decoding import Decoded, decode
from fleetlog_ingest.materializer.fold import DeadLetter
from fleetlog_ingest.materializer.progress import Progress

diagnostics = logging.getLogger(__name__)
POLL_BYTES = 16 * 1024 * 1024
IDLE_SECONDS = 1.0
RETRY_SECONDS = 0.5


class WarehouseBehind(Exception):
    """The group's progress is ahead of the warehouse: rows were lost, and only a rebuild brings them back."""


@dataclass(slots=True)
class _Open:
    """A partition that is ours: where it goes on, what waits, and whether the last batch is confirmed."""

    next_offset: int
    waiting: deque[Decoded] = field(default_factory=deque)
    weight: int = 0
    since: float = 0.0
    rests_until: float = 0.0
    confirmed: bool = True


class Materializer:
    """Folds the log into the warehouse until it is told to stop. One thread; any number of processes share a group.

    `on_applied` is called after every batch, when its rows are visible.
    """

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        objects: ObjectStore,
        *,
        group: str = "materializer",
        epoch: str = "1",
        on_applied: Callable[[], None] | None = None,
        telemetry: Telemetry | None = None,
        policy: BatchPolicy | None = None,
        limits: RunLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._group = group
        self._on_applied = on_applied
        self._telemetry = telemetry or Telemetry()
        self._policy = policy or BatchPolicy()
        self._clock = clock
        self._stopped = threading.Event()
        self._applier = Applier(warehouse, objects, epoch, self._bury, self._stopped, limits, log.partitions(EVENTS))
        self._open: dict[Partition, _Open] = {}
        self._consumer: Consumer | None = None
        self._turned = clock()
        self._progress = Progress(log)
        self._telemetry.watch_lag(self._progress.lags)

    def run(self) -> None:
        """Work until `stop`. WarehouseBehind, TooManyBad and WarehouseRefused end it: these need a person."""
        consumer = self._join()
        if consumer is None:
            self._applier.close()
            return
        try:
            while not self._stopped.is_set():
                try:
                    self._turn(consumer)
                except LogUnavailable as error:
                    diagnostics.warning("the log does not answer, asking on: %s", error)
                    self._stopped.wait(RETRY_SECONDS)
        except Stopped:
            # A batch is declared and not in; the next member does it again.
            pass
        finally:
            self._applier.close()
            consumer.close()

    def _join(self) -> Consumer | None:
        """Become a member of the group; None when it was stopped before the log answered."""
        while not self._stopped.is_set():
            try:
                self._consumer = self._log.consumer(self._group, (EVENTS, CONTROL))
            except LogUnavailable as error:
                diagnostics.warning("the log does not answer, asking on: %s", error)
                self._stopped.wait(RETRY_SECONDS)
            else:
                return self._consumer
        return None

    def idle_seconds(self) -> float:
        """How long ago it last asked the log for records. From any thread."""
        return self._clock() - self._turned

    def stop(self) -> None:
        """End `run` soon. From any thread; idempotent."""
        self._stopped.set()
        consumer = self._consumer
        if consumer is not None:
            consumer.wake()

    def _turn(self, consumer: Consumer) -> None:
        self._turned = self._clock()
        busy = any(opened.weight or not opened.confirmed for opened in self._open.values())
        records = consumer.poll(self._pause() if busy else IDLE_SECONDS, max_bytes=POLL_BYTES)
        assigned = consumer.assignment()
        for partition in self._open.keys() - assigned:
            self._drop(partition)
        # First of all, since none is handed out twice. Those of a partition that is not open are: it is sought below.
        self._take(records)
        self._take_up(consumer, assigned)
        for partition in list(self._open):
            opened = self._open[partition]
            try:
                self._work(consumer, partition, opened, idle=not records)
            except Fenced:
                self._drop(partition)

    def _pause(self) -> float:
        """How long there is nothing to do but to wait for more records, in seconds."""
        rests = [
            opened.rests_until if opened.weight else 0.0
            for opened in self._open.values()
            if opened.weight or not opened.confirmed
        ]
        return max(0.0, min(rests) - self._clock())

    def _take_up(self, consumer: Consumer, assigned: frozenset[Partition]) -> None:
        for partition in sorted(assigned - self._open.keys()):
            try:
                start = self._recover(consumer, partition)
                consumer.seek(partition, start)
            except Fenced:
                continue
            self._open[partition] = _Open(start)
            self._progress.reached(partition, start)

    def _drop(self, partition: Partition) -> None:
        self._open.pop(partition, None)
        self._progress.gone(partition)
        self._applier.forget(partition)

    def _recover(self, consumer: Consumer, partition: Partition) -> int:
        """Finish what was declared. Answers with the offset to go on from."""
        self._applier.forget(partition)
        commit = consumer.committed(partition) or Commit(0)
        applied = self._applier.applied(partition)
        if commit.metadata:
            first, last = commit.offset, int(commit.metadata)
            if applied > last:
                return applied
            self._must_hold(partition, first, applied)
            if applied < first:
                return 0
            self._apply(Batch(partition, self._read(partition, first, last)))
            consumer.commit(partition, Commit(last + 1))
            return last + 1
        self._must_hold(partition, commit.offset, applied)
        return applied

    def _must_hold(self, partition: Partition, confirmed: int, applied: int) -> None:
        if applied < confirmed and not (applied == 0 and self._applier.is_empty()):
            raise WarehouseBehind(
                f"{partition}: the log's group {self._group!r} is at {confirmed}, the warehouse has {applied}. Rows"
                " were lost: rebuild it from the log into an empty one, with a group of its own"
            )

    def _read(self, partition: Partition, first: int, last: int) -> list[Decoded]:
        found: list[Decoded] = []
        while first <= last:
            records = self._log.read(partition, first, max_bytes=POLL_BYTES)
            if not records:
                raise LogUnavailable(f"{partition} does not have the offset {first}, which was declared")
            found += [decode(record) for record in records if record.offset <= last]
            first = records[-1].offset + 1
        return found

    def _take(self, records: Sequence[Record]) -> None:
        now = self._clock()
        for record in records:
            opened = self._open.get(record.partition)
            if opened is None or record.offset < opened.next_offset:
                continue
            decoded = decode(record)
            if not opened.waiting:
                opened.since = now
            opened.waiting.append(decoded)
            opened.weight += decoded.weight
            opened.next_offset = record.offset + 1

    def _work(self, consumer: Consumer, partition: Partition, opened: _Open, *, idle: bool) -> None:
        while self._ready(partition, opened, idle):
            if self._stopped.is_set():
                raise Stopped
            waiting = list(islice(opened.waiting, self._policy.cut(opened.waiting)))
            batch = Batch(partition, waiting)
            consumer.commit(partition, Commit(batch.first, str(batch.last)))
            opened.confirmed = False
            began = self._clock()
            self._apply(batch)
            for decoded in waiting:
                opened.waiting.popleft()
                opened.weight -= decoded.weight
            opened.since = self._clock()
            opened.rests_until = opened.since + self._policy.rest(opened.since - began)
        if idle and not opened.confirmed and not opened.waiting:
            consumer.commit(partition, Commit(opened.next_offset))
            opened.confirmed = True

    def _ready(self, partition: Partition, opened: _Open, idle: bool) -> bool:
        now = self._clock()
        # What is asked of the control partition has somebody waiting for it.
        at_once = partition.topic == CONTROL or (idle and now >= opened.rests_until)
        return self._policy.ready(opened.weight, now - opened.since, at_once)

    def _apply(self, batch: Batch) -> None:
        began = self._clock()
        told = self._telemetry
        # By these, an append's place in the log finds its batch.
        place: Attributes = {
            "fleetlog.topic": batch.partition.topic,
            "fleetlog.partition": batch.partition.number,
            "fleetlog.first_offset": batch.first,
            "fleetlog.last_offset": batch.last,
        }
        with told.traces.root("materialize", place) as span:
            counts = self._applier.apply(batch)
            span.tell({"fleetlog.points": counts.points, "fleetlog.duplicates": counts.duplicates})
        told.batches.inc()
        told.duplicates.inc(counts.duplicates)
        told.batch_rows.observe(counts.points)
        told.batch_seconds.observe(self._clock() - began)
        self._progress.reached(batch.partition, batch.last + 1)
        if self._on_applied is not None:
            self._on_applied()

    def _bury(self, dead: Sequence[DeadLetter]) -> None:
        write_dead_letters(self._log, dead)
        for letter in dead:
            self._telemetry.dead_letters.labels(letter.reason).inc()
