"""A member of a consumer group in Kafka.

The driver gets the records and knows who has which partition; what is here makes its answers safe:

  position     the offset that the next record handed out has. Ours, set by a seek when a partition is taken up, so a
               jump of the driver is noticed (RecordsGone) and never becomes a hole.
  taken up     a partition counts as ours from the poll that read its commit; `commit` and `seek` are Fenced before.
  interrupted  one that others may have had since is given up for one poll before it is taken up again, so that
               whoever keeps state of it sees that it went (rebalances.follow).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState

from fleetlog_core.log.kafka.clients import named
from fleetlog_core.log.kafka.reader import must_follow, open_consumer, record_of
from fleetlog_core.log.kafka.rebalances import Assigned, Lost, Membership, follow
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.watchdog import Watchdog
from fleetlog_core.log.port import Commit, Fenced, LogUnavailable, Partition, Record

OnStuck = Callable[[Partition, int, int], None]
"""Called with a partition, the offset that it does not get beyond, and the offset that it should be at."""
FETCH_WAIT_MILLIS = 100
"""How long a broker holds a fetch that finds nothing; a partition that is new or sought waits for it to end."""
SLICE_SECONDS = 0.05
"""Seconds after which a waiting poll looks up: the driver can't be woken."""
JOIN_SECONDS = 0.2
"""Seconds after which a poll in a rebalance looks up; each such look may miss the rebalance's outcome."""
DRIVE_SECONDS = 1.0
"""Maximum seconds between two turns of a member in its group while it still has fetched records."""
_MOVED = (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
_diagnostics = logging.getLogger(__name__)


class Member:
    """See Consumer. LogUnavailable when no broker answers."""

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topics: Sequence[str],
        *,
        on_stuck: OnStuck | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._group = group
        self._ports = {settings.topic(topic): topic for topic in topics}
        self._on_stuck = on_stuck or _tell_stuck
        self._clock = clock
        self._watchdog = Watchdog(settings.stuck_seconds)
        self._woken = threading.Event()
        self._closed = False
        self._membership = Membership()
        self._waiting: dict[Partition, deque[Record]] = {}
        """Records that were fetched and not handed out yet, for each partition that is taken up."""
        self._fetched_to: dict[Partition, int] = {}
        self._turn = 0
        self._drive_at = 0.0
        self._driver, self._events = self._join()

    def assignment(self) -> frozenset[Partition]:
        """See Consumer."""
        return frozenset(self._waiting)

    def poll(self, timeout_seconds: float, *, max_bytes: int) -> Sequence[Record]:
        """See Consumer.

        A rebalance that has begun is waited for, also beyond the timeout, until `wake`: the driver drops the outcome of
        a join that comes while nobody polls, and begins another rebalance, of everybody.
        """
        deadline = self._clock() + timeout_seconds
        while True:
            if self._woken.is_set():
                self._woken.clear()
                return ()
            left = max(0.0, deadline - self._clock())
            fetched = any(self._waiting.values())
            if not fetched or self._clock() >= self._drive_at or self._joining():
                wait = JOIN_SECONDS if self._joining() else 0.0 if fetched else min(left, SLICE_SECONDS)
                if self._drive(wait):
                    return ()
                if self._joining() and self._clock() < deadline + self._settings.most_poll_seconds:
                    continue
            records = self._hand_out(max_bytes)
            if records or not left:
                return records

    def seek(self, partition: Partition, offset: int) -> None:
        """See Consumer."""
        self._own(partition)
        self._seek(partition, offset)

    def committed(self, partition: Partition) -> Commit | None:
        """See Consumer."""
        try:
            found = self._driver.committed(self._place(partition), metadata=True, timeout_ms=self._timeout_millis())
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"the commit of {partition} can't be read: {named(error)}") from error
        return Commit(int(found.offset), str(found.metadata or "")) if found is not None else None

    def commit(self, partition: Partition, commit: Commit) -> None:
        """See Consumer."""
        self._own(partition)
        told = {self._place(partition): OffsetAndMetadata(commit.offset, commit.metadata, -1)}
        try:
            self._driver.commit(told, timeout_ms=self._timeout_millis())
        except _MOVED as error:
            raise Fenced(f"{partition} may be another member's of {self._group} by now: {named(error)}") from error
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"{partition} can't be committed: {named(error)}") from error

    def wake(self) -> None:
        """See Consumer."""
        self._woken.set()

    def close(self) -> None:
        """See Consumer."""
        if not self._closed:
            self._closed = True
            self._leave()
            self._give_up(self.assignment())

    def _join(self) -> tuple[KafkaConsumer, deque[Lost | Assigned]]:
        events: deque[Lost | Assigned] = deque()
        driver = open_consumer(self._settings, group=self._settings.group(self._group), wait_millis=FETCH_WAIT_MILLIS)
        driver.subscribe(list(self._ports), listener=_Listener(driver, self._partition, events))
        try:
            for name in self._ports:
                # A leader of the group that does not know the topics yet shares out nothing, and again a little later.
                driver.partitions_for_topic(name)
        except (KafkaError, OSError) as error:
            driver.close(autocommit=False, timeout_ms=0)
            raise LogUnavailable(f"the topics of the log can't be looked up: {named(error)}") from error
        return driver, events

    def _leave(self) -> None:
        try:
            self._driver.close(autocommit=False, timeout_ms=self._timeout_millis())
        except (KafkaError, OSError, RuntimeError) as error:
            # The group notices by itself when the session ends.
            _diagnostics.warning("a member of %s could not leave: %s", self._group, named(error))

    def _drive(self, wait_seconds: float) -> bool:
        """Let the driver work. True when partitions were given up: the caller of poll must see that at once."""
        self._take_up()
        full = [self._place(partition) for partition, records in self._waiting.items() if records]
        try:
            # What was fetched is enough of these; the driver still has to take part in the group.
            self._driver.pause(*full)
            found = self._driver.poll(int(wait_seconds * 1000))
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"the log can't be read: {named(error)}") from error
        finally:
            went = self._follow_rebalances()
            still = self._driver.assignment()
            self._driver.resume(*(place for place in full if place in still))
        self._drive_at = self._clock() + DRIVE_SECONDS
        for place, records in found.items():
            self._keep(self._partition(place), [record_of(self._partition(place), record) for record in records])
        if not went:
            self._take_up()
            self._watch()
        return went

    def _joining(self) -> bool:
        return bool(self._driver.group_metadata().state == MemberState.REBALANCING)

    def _follow_rebalances(self) -> bool:
        if not self._events:
            return False
        events = [self._events.popleft() for _ in range(len(self._events))]
        self._membership, kept = follow(self._membership, events)
        went = self.assignment() - kept
        self._give_up(went)
        return bool(went)

    def _take_up(self) -> None:
        """Begin with the partitions that are new: at what the group committed, or at 0."""
        for partition in sorted(self._membership.partitions - self._waiting.keys()):
            commit = self.committed(partition)
            if self._place(partition) in self._driver.assignment():
                self._waiting[partition] = deque()
                self._seek(partition, commit.offset if commit else 0)

    def _give_up(self, partitions: frozenset[Partition]) -> None:
        for partition in partitions:
            del self._waiting[partition]
            del self._fetched_to[partition]

    def _seek(self, partition: Partition, offset: int) -> None:
        try:
            self._driver.seek(self._place(partition), offset)
        except (ValueError, KeyError, IllegalStateError) as error:
            raise Fenced(f"{partition} is not assigned to this member of {self._group}") from error
        self._waiting[partition].clear()
        self._fetched_to[partition] = offset

    def _keep(self, partition: Partition, records: Sequence[Record]) -> None:
        """Take what the driver fetched. What belongs to a partition that is not taken up is fetched again later."""
        if partition not in self._waiting:
            return
        for record in records:
            must_follow(partition, self._fetched_to[partition], record.offset)
            self._waiting[partition].append(record)
            self._fetched_to[partition] = record.offset + 1
        self._watchdog.progressed(partition, self._clock())

    def _hand_out(self, max_bytes: int) -> Sequence[Record]:
        """Fetched records of the partitions in turn, about `max_bytes` and at least one; none if it is 0."""
        if max_bytes <= 0:
            return ()
        having = sorted(partition for partition, records in self._waiting.items() if records)
        found: list[Record] = []
        size = 0
        self._turn += 1
        for place in range(len(having)):
            records = self._waiting[having[(self._turn + place) % len(having)]]
            while records and (not found or size + len(records[0].value) <= max_bytes):
                record = records.popleft()
                found.append(record)
                size += len(record.value)
        return found

    def _watch(self) -> None:
        """Look after partitions that give nothing: ask Kafka whether there is something, and make it come."""
        now = self._clock()
        quiet = self._watchdog.quiet(self._waiting, now)
        if not quiet:
            return
        again = False
        for partition, end in self._ends(quiet).items():
            at = self._position(partition)
            if end <= at or self._waiting[partition]:
                self._watchdog.progressed(partition, now)
                continue
            again |= self._watchdog.struck(partition, now) > 1
            self._on_stuck(partition, at, end)
            self._seek(partition, at)
        if again:
            # To seek did not help. A new member gets its partitions from the beginning.
            self._leave()
            self._give_up(self.assignment())
            self._membership = Membership()
            self._driver, self._events = self._join()

    def _ends(self, partitions: Sequence[Partition] | dict[Partition, deque[Record]]) -> dict[Partition, int]:
        places = [self._place(partition) for partition in partitions]
        try:
            found = self._driver.end_offsets(places, timeout_ms=self._timeout_millis()) if places else {}
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"the ends of the log can't be read: {named(error)}") from error
        return {self._partition(place): int(end) for place, end in found.items()}

    def _position(self, partition: Partition) -> int:
        records = self._waiting[partition]
        return records[0].offset if records else self._fetched_to[partition]

    def _own(self, partition: Partition) -> None:
        if partition not in self._waiting:
            raise Fenced(f"{partition} is not assigned to this member of {self._group}")

    def _place(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._settings.topic(partition.topic), partition.number)

    def _partition(self, place: TopicPartition) -> Partition:
        return Partition(self._ports[str(place.topic)], int(place.partition))

    def _timeout_millis(self) -> int:
        return int(self._settings.request_seconds * 1000)


class _Listener(ConsumerRebalanceListener):
    """Notes what happened; called in the driver's own thread, where nothing may wait."""

    def __init__(
        self,
        driver: KafkaConsumer,
        partition: Callable[[TopicPartition], Partition],
        events: deque[Lost | Assigned],
    ) -> None:
        self._driver = driver
        self._partition = partition
        self._events = events

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Told at the begin of every rebalance, also of what stays: nothing to note."""

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """The whole assignment in the generation that begins."""
        generation = int(self._driver.group_metadata().generation_id)
        self._events.append(Assigned(frozenset(self._partition(place) for place in assigned), generation))

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """The group went on without this member."""
        self._events.append(Lost())


def _tell_stuck(partition: Partition, at: int, end: int) -> None:
    _diagnostics.warning("%s is stuck at offset %d, and it has records up to %d", partition, at, end)
