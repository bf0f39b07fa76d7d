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

import threading
import time
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
)
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.outages import Outage
from fleetlog_core.readers import Readers
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.unavailable import shortage_of
from fleetlog_core.warehouse.port import Warehouse

from fleetlog_ingest.materializer.fold.result import DeadLetter
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.loop.apply import Applier
from fleetlog_ingest.materializer.loop.batches_applied import BatchesApplied
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.dead_letters import write_dead_letters
from fleetlog_ingest.materializer.loop.late_artifacts import LateArtifacts
from fleetlog_ingest.materializer.loop.lost_runs import LostRuns
from fleetlog_ingest.materializer.loop.pieces import Batch
from fleetlog_ingest.materializer.loop.progress import Progress
from fleetlog_ingest.materializer.loop.reader_waker import ReaderWaker
from fleetlog_ingest.materializer.loop.recovery import POLL_BYTES, Recovery
from fleetlog_ingest.materializer.loop.retrying import Stopped
from fleetlog_ingest.materializer.loop.rounds import Rounds
from fleetlog_ingest.materializer.loop.waiting import Waiting

RETRY_SECONDS = 0.5


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
        self._rounds = Rounds(self._policy, self._waker, clock)
        self._at_work: Partition | None = None
        self._thread: int | None = None
        self._consumer: Consumer | None = None
        self._turned = clock()
        self._progress = Progress(log)
        self._telemetry.watch_lag(self._progress.lags)
        artifacts, outage = self._applier.artifacts, self._applier.outages.artifacts
        self._late = LateArtifacts(log, warehouse, artifacts, outage, epoch, self._progress.partitions)
        self._applied = BatchesApplied(
            self._applier, self._telemetry, self._progress, self._late, on_applied, clock
        )  # fmt: skip
        self._recovery = Recovery(log, group, self._applier, self._applied.apply)
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
        rounds = self._rounds
        goes_on = bool(rounds or consumer.assignment() - rounds.open.keys())
        if goes_on:
            records = consumer.poll(0.0, max_bytes=0)
        else:
            records = consumer.poll(rounds.patience(), max_bytes=min(POLL_BYTES, rounds.room()))
        assigned = consumer.assignment()
        self._drop_all_but(assigned)
        # Before all that may fail, since none is handed out twice.
        rounds.take(records)
        self._take_up_one(consumer, assigned)
        if not goes_on:
            rounds.begin(is_idle=not records and rounds.room() > 0)
        if rounds:
            self._work(consumer, rounds.next())
        if not rounds:
            rounds.end()
            if rounds.is_idle:
                self._confirm(consumer)
            self._telemetry.runs_lost.inc(self._lost_runs.look(self._reached))

    def _reached(self, partition: Partition) -> int | None:
        """Next offset of a partition of which nothing waits."""
        waiting = self._rounds.open.get(partition)
        return None if waiting is None or waiting.weight else waiting.next_offset

    def _changed(self, batch: Batch, runs: dict[RunKey, Run]) -> None:
        self._lost_runs.applied(batch.partition, batch.records, runs)

    def _take_up_one(self, consumer: Consumer, assigned: frozenset[Partition]) -> None:
        """Take up one partition of those that came. It may have a batch to finish, so the next one has its own turn."""
        for partition in sorted(assigned - self._rounds.open.keys()):
            try:
                self._at_work = partition
                start = self._recovery.recover(consumer, partition)
                consumer.seek(partition, start)
            except Fenced:
                continue
            self._rounds.open[partition] = Waiting(start)
            self._progress.reached(partition, start)
            self._lost_runs.opened(partition)
            self._late.due()
            return

    def _drop_all_but(self, assigned: frozenset[Partition]) -> None:
        for partition in self._rounds.open.keys() - assigned:
            self._drop(partition)

    def _drop(self, partition: Partition) -> None:
        self._rounds.open.pop(partition, None)
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

    def _work(self, consumer: Consumer, partition: Partition) -> None:
        """One batch of the partition, if it is still ours."""
        waiting = self._rounds.open.get(partition)
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
            self._applied.apply(batch)
        except Fenced:
            self._drop(partition)
            return
        except Exception as error:
            if _passes(error):
                # What was declared is done again, and with it nothing else.
                self._drop(partition)
            raise
        waiting.done(batch.records, self._clock())
        self._rounds.done(waiting, batch.weight, batch.size, began)

    def _confirm(self, consumer: Consumer) -> None:
        """Say that what was declared is in. Of what waits the next declaration says so too."""
        for partition, waiting in list(self._rounds.open.items()):
            if not waiting.confirmed and not waiting.weight:
                try:
                    consumer.commit(partition, Commit(waiting.next_offset))
                    waiting.confirmed = True
                except Fenced:
                    self._drop(partition)

    def _bury(self, dead: Sequence[DeadLetter]) -> None:
        write_dead_letters(self._log, dead)
        for letter in dead:
            self._telemetry.dead_letters.labels(letter.reason).inc()


def _passes(error: Exception) -> bool:
    """True if the error is of the log or of the machine, and not of our own code: waited for, it goes away."""
    return isinstance(error, (LogUnavailable, OSError)) or bool(shortage_of(error))
