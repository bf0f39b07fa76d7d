"""Partitions that are ours, and whose turn it is: rounds, in each of which a partition has one batch at most.

A round begins with a poll for records; then each partition that has a batch ready gets it in. For one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from fleetlog_core.log.port import CONTROL, Partition, Record

from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.reader_waker import ReaderWaker
from fleetlog_ingest.materializer.loop.waiting import Waiting

IDLE_SECONDS = 1.0


class Rounds:
    """Rounds of one materializer. `clock` counts seconds."""

    def __init__(self, policy: BatchPolicy, waker: ReaderWaker, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._waker = waker
        self._clock = clock
        self.open: dict[Partition, Waiting] = {}
        """What waits of each partition that was taken up."""
        self._turns: deque[Partition] = deque()
        """The partitions whose turn comes before the next poll for records."""
        self.is_idle = False
        """When the round began the log had nothing more."""
        self._small: list[Waiting] = []
        """The partitions that had a small batch in this round, and how long all of these took."""
        self._small_seconds = 0.0

    def __bool__(self) -> bool:
        """True if a turn is left in this round."""
        return bool(self._turns)

    def take(self, records: Sequence[Record]) -> None:
        """Have records wait. Those of a partition that is not open are left: it is sought when it is taken up."""
        now = self._clock()
        for record in records:
            waiting = self.open.get(record.partition)
            if waiting is not None and record.offset >= waiting.next_offset:
                waiting.add(decode(record), now)

    def begin(self, *, is_idle: bool) -> None:
        """Whoever asks of the control partition waits for its answer; among the others, who waited longest."""
        self.is_idle = is_idle
        ready = [partition for partition, waiting in self.open.items() if self._ready(partition, waiting)]
        self._turns.extend(sorted(ready, key=lambda one: (one.topic != CONTROL, self.open[one].since)))

    def next(self) -> Partition:
        """The partition whose turn it is."""
        return self._turns.popleft()

    def done(self, waiting: Waiting, weight: int, size: int, began: float) -> None:
        """A batch of so many rows and bytes is in, which began then."""
        if not self._policy.is_enough(weight, size):
            self._small.append(waiting)
            self._small_seconds += waiting.since - began

    def end(self) -> None:
        """Every turn of the round is over: those that had a small batch rest."""
        now = self._clock()
        for waiting in self._small:
            waiting.rests_since, waiting.round_seconds = now, self._small_seconds
        self._small.clear()
        self._small_seconds = 0.0

    def patience(self) -> float:
        """How long there is nothing to do but to wait for more records, in seconds."""
        if any(self._ready(partition, waiting) for partition, waiting in self.open.items()):
            return 0.0
        demand = self._waker.demand()
        rests = [waiting.rests_until(self._policy, demand) for waiting in self.open.values() if waiting.weight]
        if rests:
            return max(0.0, min(rests) - self._clock())
        return IDLE_SECONDS if all(waiting.confirmed for waiting in self.open.values()) else 0.0

    def room(self) -> int:
        """How many bytes of records more may wait in memory."""
        return max(0, self._policy.waiting_bytes - sum(waiting.size for waiting in self.open.values()))

    def _ready(self, partition: Partition, waiting: Waiting) -> bool:
        now = self._clock()
        at_once = partition.topic == CONTROL or not self.room()
        return self._policy.ready(
            waiting.weight,
            waiting.size,
            now - waiting.since,
            idle=at_once or self.is_idle,
            rests=not at_once and now < waiting.rests_until(self._policy, self._waker.demand()),
        )
