"""The materializer: declare, insert, declare.

For each partition the group's commit is {offset: first, metadata: last} while a batch [first..last] is on its way into
the warehouse, and {offset: next, metadata: ""} when all before `next` is in.

    on assignment   last is declared: exactly [first..last] is done again, with the same insert tokens
    a batch         commit {first, last}; fold; insert table by table, `applied` last
    idle            commit {next, ""}: the next batch's declaration would say so too, but there is none yet

Batches never form anew over records whose rows may be in: tokens make a repeat harmless only when it is the same batch.

Partitions take turns. A round begins with a poll for records; then each partition that has a batch ready gets it in,
one a turn. Each turn polls, if only to be heard of: a group gives the partitions of a member that is silent for long to
others. What comes during a round, or when `waiting_bytes` wait in memory, waits in the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from fleetlog_core.decisions import Decisions
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
from fleetlog_core.outages import Outage
from fleetlog_core.readers import Readers
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import Attributes
from fleetlog_core.unavailable import shortage_of
from fleetlog_core.warehouse.port import Warehouse

from fleetlog_ingest.materializer.fold.decoding import Decoded, decode
from fleetlog_ingest.materializer.fold.result import DeadLetter
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.loop.apply import Applier, Stopped
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.dead_letters import write_dead_letters
from fleetlog_ingest.materializer.loop.late_artifacts import LateArtifacts
from fleetlog_ingest.materializer.loop.lost_runs import LostRuns
from fleetlog_ingest.materializer.loop.pieces import Batch
from fleetlog_ingest.materializer.loop.progress import Progress
from fleetlog_ingest.materializer.loop.reader_waker import ReaderWaker
from fleetlog_ingest.materializer.loop.waiting import Waiting

diagnostics = logging.getLogger(__name__)
POLL_BYTES = 16 * 1024 * 1024
IDLE_SECONDS = 1.0
RETRY_SECONDS = 0.5


class WarehouseBehind(Exception):
    """The group's progress is ahead of the warehouse: rows were lost, and only a rebuild brings them back."""


class Materializer:
    """Folds the log into the warehouse until it is told to stop. One thread; any number of processes share a group.

    `on_applied` is called after every batch, when its rows are visible, with its partition and the offset behind it.
    `readers` are those of the same process, when there are no others; without them somebody may read at any time.
    `decisions` are those that this process waits for; `lost_runs` finds runs whose writers are silent.
    """

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        objects: ObjectStore,
        *,
        group: str = "materializer",
        epoch: str = "1",
        on_applied: Callable[[Partition, int], None] | None = None,
        telemetry: Telemetry | None = None,
        policy: BatchPolicy | None = None,
        limits: RunLimits | None = None,
        readers: Readers | None = None,
        decisions: Decisions | None = None,
        clock: Callable[[], float] = time.monotonic,
        lost_runs: LostRuns | None = None,
    ) -> None:
        self._log = log
        self._group = group
        self._on_applied = on_applied
        self._telemetry = telemetry or Telemetry()
        self._policy = policy or BatchPolicy()
        self._clock = clock
        self._waker = ReaderWaker(readers)
        self._stopped = threading.Event()
        count = log.partitions(EVENTS)
        self._lost_runs = lost_runs or LostRuns(log, warehouse)
        self._applier = Applier(
            warehouse, objects, epoch, self._bury, self._stopped, limits, count, self._stay, decisions, self._changed
        )
        self._open: dict[Partition, Waiting] = {}
        self._round: deque[Partition] = deque()
        """The partitions whose turn comes before the next poll for records."""
        self._is_idle = False
        """When the round began the log had nothing more."""
        self._small: list[Waiting] = []
        """The partitions that had a small batch in this round, and how long all of these took."""
        self._small_seconds = 0.0
        self._at_work: Partition | None = None
        self._thread: int | None = None
        self._consumer: Consumer | None = None
        self._turned = clock()
        self._progress = Progress(log)
        self._telemetry.watch_lag(self._progress.lags)
        artifacts, outage = self._applier.artifacts, self._applier.outages.artifacts
        self._late = LateArtifacts(log, warehouse, artifacts, outage, epoch, self._progress.partitions)
        self._outage = Outage("the materializer can't go on")

    def run(self) -> None:
        """Work until `stop`. WarehouseBehind, TooManyBad and WarehouseRefused end it: these need a person.

        A shortage of the machine, wherever it is met, does not: what was under way is done again.
        """
        self._thread = threading.get_ident()
        consumer = self._join()
        if consumer is None:
            self._applier.close()
            return
        self._late.start()
        self._waker.start(consumer.wake)
        try:
            while not self._stopped.is_set():
                try:
                    self._turn(consumer)
                except Exception as error:
                    if not _passes(error):
                        raise
                    self._outage.failed(error)
                    self._lost_runs.begin_anew()
                    self._stopped.wait(RETRY_SECONDS)
                else:
                    self._outage.ended()
        except Stopped:
            # A batch is declared and not in; the next member does it again.
            pass
        finally:
            self._waker.stop()
            self._late.stop()
            self._applier.close()
            consumer.close()

    def _join(self) -> Consumer | None:
        """Become a member of the group; None when it was stopped before the log answered."""
        while not self._stopped.is_set():
            try:
                self._consumer = self._log.consumer(self._group, (EVENTS, CONTROL))
            except LogUnavailable as error:
                self._outage.failed(error)
                self._stopped.wait(RETRY_SECONDS)
            else:
                self._outage.ended()
                return self._consumer
        return None

    def idle_seconds(self) -> float:
        """How long ago it last asked the log for records. From any thread."""
        return self._clock() - self._turned

    def outage(self) -> str:
        """What fails and is tried again, so that nothing is applied; empty while all goes well. From any thread."""
        reasons = (self._outage.reason(), self._applier.outages.batches.reason())
        return "; ".join(reason for reason in reasons if reason)

    def degraded(self) -> str:
        """What fails and is tried again, while events are applied; empty while all goes well. From any thread."""
        return self._applier.outages.artifacts.reason()

    def stop(self) -> None:
        """End `run` soon. From any thread; idempotent."""
        self._stopped.set()
        consumer = self._consumer
        if consumer is not None:
            consumer.wake()

    def _turn(self, consumer: Consumer) -> None:
        self._turned = self._clock()
        if self._late.failure is not None:
            raise self._late.failure
        goes_on = bool(self._round or consumer.assignment() - self._open.keys())
        if goes_on:
            records = consumer.poll(0.0, max_bytes=0)
        else:
            records = consumer.poll(self._patience(), max_bytes=min(POLL_BYTES, self._room()))
        assigned = consumer.assignment()
        self._drop_all_but(assigned)
        # Before all that may fail, since none is handed out twice. Those of a partition that is not open are: it is
        # sought when it is taken up.
        self._take(records)
        self._take_up_one(consumer, assigned)
        if not goes_on:
            self._begin_round(is_idle=not records and self._room() > 0)
        if self._round:
            self._work(consumer, self._round.popleft())
        if not self._round:
            self._end_round(consumer)
            self._telemetry.runs_lost.inc(self._lost_runs.look(self._reached))

    def _reached(self, partition: Partition) -> int | None:
        """Next offset of a partition of which nothing waits."""
        waiting = self._open.get(partition)
        return None if waiting is None or waiting.weight else waiting.next_offset

    def _changed(self, batch: Batch, runs: dict[RunKey, Run]) -> None:
        self._lost_runs.applied(batch.partition, batch.records, runs)

    def _patience(self) -> float:
        """How long there is nothing to do but to wait for more records, in seconds."""
        if any(self._ready(partition, waiting) for partition, waiting in self._open.items()):
            return 0.0
        demand = self._waker.demand()
        rests = [waiting.rests_until(self._policy, demand) for waiting in self._open.values() if waiting.weight]
        if rests:
            return max(0.0, min(rests) - self._clock())
        return IDLE_SECONDS if all(waiting.confirmed for waiting in self._open.values()) else 0.0

    def _room(self) -> int:
        """How many bytes of records more may wait in memory."""
        return max(0, self._policy.waiting_bytes - sum(waiting.size for waiting in self._open.values()))

    def _take_up_one(self, consumer: Consumer, assigned: frozenset[Partition]) -> None:
        """Take up one partition of those that came. It may have a batch to finish, so the next one has its own turn."""
        for partition in sorted(assigned - self._open.keys()):
            try:
                start = self._recover(consumer, partition)
                consumer.seek(partition, start)
            except Fenced:
                continue
            self._open[partition] = Waiting(start)
            self._progress.reached(partition, start)
            self._lost_runs.opened(partition)
            self._late.due()
            return

    def _drop_all_but(self, assigned: frozenset[Partition]) -> None:
        for partition in self._open.keys() - assigned:
            self._drop(partition)

    def _drop(self, partition: Partition) -> None:
        self._open.pop(partition, None)
        self._progress.gone(partition)
        self._lost_runs.gone(partition)
        self._applier.forget(partition)

    def _stay(self) -> None:
        """Be heard of in the group while something does not answer. Fenced when what is at work is ours no more.

        Does nothing in other threads than that of `run`, to which the consumer belongs.
        """
        if self._consumer is None or threading.get_ident() != self._thread:
            return
        try:
            self._consumer.poll(0.0, max_bytes=0)
        except LogUnavailable:
            return
        assigned = self._consumer.assignment()
        self._drop_all_but(assigned)
        if self._at_work not in assigned:
            raise Fenced(f"{self._at_work} went to another member while its batch could not be finished")

    def _recover(self, consumer: Consumer, partition: Partition) -> int:
        """Finish what was declared. Answers with the offset to go on from."""
        self._at_work = partition
        self._applier.forget(partition)
        commit = consumer.committed(partition) or Commit(0)
        applied = self._applier.applied(partition)
        if commit.metadata:
            first, last = commit.offset, int(commit.metadata)
            if applied > last:
                return applied
            self._must_hold(partition, first, applied)
            if applied < first:
                # A rebuild has not come to it: it was declared before the rows were lost.
                return applied
            self._apply(Batch(partition, self._read(partition, first, last)))
            consumer.commit(partition, Commit(last + 1))
            return last + 1
        self._must_hold(partition, commit.offset, applied)
        return applied

    def _must_hold(self, partition: Partition, confirmed: int, applied: int) -> None:
        if applied >= confirmed or applied < self._applier.rebuild_target(partition):
            return
        if applied == 0 and self._applier.is_empty():
            return
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
            waiting = self._open.get(record.partition)
            if waiting is not None and record.offset >= waiting.next_offset:
                waiting.add(decode(record), now)

    def _begin_round(self, *, is_idle: bool) -> None:
        """Whoever asks of the control partition waits for its answer; among the others, who waited longest."""
        self._is_idle = is_idle
        ready = [partition for partition, waiting in self._open.items() if self._ready(partition, waiting)]
        self._round.extend(sorted(ready, key=lambda one: (one.topic != CONTROL, self._open[one].since)))

    def _ready(self, partition: Partition, waiting: Waiting) -> bool:
        now = self._clock()
        at_once = partition.topic == CONTROL or not self._room()
        return self._policy.ready(
            waiting.weight,
            waiting.size,
            now - waiting.since,
            idle=at_once or self._is_idle,
            rests=not at_once and now < waiting.rests_until(self._policy, self._waker.demand()),
        )

    def _work(self, consumer: Consumer, partition: Partition) -> None:
        """One batch of the partition, if it is still ours."""
        waiting = self._open.get(partition)
        if waiting is None or not waiting.weight:
            return
        if self._stopped.is_set():
            raise Stopped
        batch = Batch(partition, waiting.batch(self._policy))
        self._at_work = partition
        try:
            consumer.commit(partition, Commit(batch.first, str(batch.last)))
            waiting.confirmed = False
            began = self._clock()
            self._apply(batch)
        except Fenced:
            self._drop(partition)
            return
        except Exception as error:
            if _passes(error):
                # What was declared is done again, and with it nothing else.
                self._drop(partition)
            raise
        waiting.done(batch.records, self._clock())
        if not self._policy.is_enough(batch.weight, batch.size):
            self._small.append(waiting)
            self._small_seconds += waiting.since - began

    def _end_round(self, consumer: Consumer) -> None:
        now = self._clock()
        for waiting in self._small:
            waiting.rests_since, waiting.round_seconds = now, self._small_seconds
        self._small.clear()
        self._small_seconds = 0.0
        if self._is_idle:
            self._confirm(consumer)

    def _confirm(self, consumer: Consumer) -> None:
        """Say that what was declared is in. Of what waits the next declaration says so too."""
        for partition, waiting in list(self._open.items()):
            if not waiting.confirmed and not waiting.weight:
                try:
                    consumer.commit(partition, Commit(waiting.next_offset))
                    waiting.confirmed = True
                except Fenced:
                    self._drop(partition)

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
        if counts.pending or self._applier.outages.artifacts.reason():
            self._late.due()
        told.batches.inc()
        told.duplicates.inc(counts.duplicates)
        told.sequence_gaps.inc(counts.gaps)
        told.sequences_reused.inc(counts.reused)
        told.batch_rows.observe(counts.points)
        told.batch_seconds.observe(self._clock() - began)
        self._progress.reached(batch.partition, batch.last + 1)
        if self._on_applied is not None:
            self._on_applied(batch.partition, batch.last + 1)

    def _bury(self, dead: Sequence[DeadLetter]) -> None:
        write_dead_letters(self._log, dead)
        for letter in dead:
            self._telemetry.dead_letters.labels(letter.reason).inc()


def _passes(error: Exception) -> bool:
    """True if the error is of the log or of the machine, and not of our own code: waited for, it goes away."""
    return isinstance(error, (LogUnavailable, OSError)) or bool(shortage_of(error))
