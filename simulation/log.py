"""The log as one process has it: see EventLog for what it promises."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_core.log.port import BEHIND_FAILURE, Commit, Fenced, LogUnavailable, Partition, Record

from simulation.broker import Broker
from simulation.executors import Result
from simulation.groups import Seat
from simulation.kernel import Process
from simulation.weather import Condition

LATE_SECONDS = 3.0
"""The longest that something is on its way to a log that is slow."""
STALL_SECONDS = 0.2
"""The longest that a writer stands still behind a moment's failure."""
_APART_SECONDS = 1e-6
BLINKS = 0.1
"""Share of appends that fail with all that is under way, where the log fails for moments."""


@dataclass(eq=False, slots=True)
class _Append:
    """A record on its way."""

    topic: str
    key: bytes
    value: bytes
    done: Result
    written: bool = False
    gone: bool = False


class ProcessLog:
    """An EventLog. Where it is away nothing is written, or it is not told that something was."""

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker = broker
        self._process = process
        self._kernel = broker.kernel
        self._generation = 0
        self._open: deque[_Append] = deque()
        self._arrival = self._answered = 0.0
        """When the last one arrives, and has its answer."""
        self._cut = False
        """The process died, and what it has on the way from here on never arrives."""

    def partitions(self, topic: str) -> int:
        """See EventLog."""
        return self._broker.counts[topic]

    def generation(self) -> int:
        """See EventLog."""
        return self._generation

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Result:
        """See EventLog."""
        done = Result()
        # A caller who cancels it would not stop the record.
        done.set_running_or_notify_cancel()
        if generation is not None and generation != self._generation:
            done.set_exception(LogUnavailable(BEHIND_FAILURE))
            return done
        one = _Append(topic, key, bytes(value), done)
        self._open.append(one)
        now = self._kernel.now
        # One behind the other, as over one connection.
        self._arrival = max(self._arrival + _APART_SECONDS, now + self._way())
        self._kernel.after(self._arrival - now, lambda: self._arrive(one))
        return done

    def _way(self) -> float:
        most = LATE_SECONDS if self._broker.weather.has(Condition.LOG_SLOW) else self._broker.way_seconds
        return self._kernel.random.random() * most

    def _arrive(self, one: _Append) -> None:
        if one.gone:
            return
        if not self._process.alive:
            # Of a process that died the network may have all of it, or some.
            self._cut = self._cut or self._kernel.random.random() < 0.5
            if self._cut:
                return
        weather = self._broker.weather
        if weather.has(Condition.LOG_AWAY):
            self._fail("the log is away")
            return
        if weather.has(Condition.LOG_BLINKS) and self._kernel.random.random() < BLINKS:
            # Its writer hears of it when more is there to be written already.
            self._process.pause(self._kernel.random.random() * STALL_SECONDS)
            self._fail("the log is away for a moment")
            return
        record = self._broker.write(one.topic, one.key, one.value)
        one.written = True
        if weather.has(Condition.LOG_AMBIGUOUS):
            self._fail("no answer of the log")
            return
        now = self._kernel.now
        self._answered = max(self._answered + _APART_SECONDS, now + self._way() * 0.5)
        self._kernel.after(self._answered - now, lambda: self._answer(one, record), self._process)

    def _answer(self, one: _Append, record: Record) -> None:
        if not one.gone:
            self._open.popleft()
            one.gone = True
            one.done.set_result(record)

    def _fail(self, why: str) -> None:
        """Every append that is open fails; of what is on its way some arrives before anything newer does."""
        self._generation += 1
        self._kernel.history.add(self._process.name, f"the log fails {len(self._open)} appends: {why}")
        left, self._open = self._open, deque()
        arrives = self._broker.weather.has(Condition.LOG_AMBIGUOUS)
        for one in left:
            one.gone = True
            arrives = arrives and self._kernel.random.random() < 0.5
            if arrives and not one.written:
                self._broker.write(one.topic, one.key, one.value)
        for one in left:
            one.done.set_exception(LogUnavailable(why))

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """See EventLog."""
        self._ask()
        return self._broker.read(partition, offset, max_bytes)

    def next_offset(self, partition: Partition) -> int:
        """See EventLog."""
        self._ask()
        return len(self._broker.records[partition])

    def check_writable(self) -> None:
        """See EventLog."""
        self._ask()

    def _ask(self) -> None:
        """Wait for an answer. LogUnavailable."""
        if self._kernel.fiber is not None:
            self._kernel.sleep(self._way() * 0.2)
        if self._broker.weather.has(Condition.LOG_AWAY):
            raise LogUnavailable("the log is away")

    def consumer(self, group: str, topics: Sequence[str]) -> Member:
        """See EventLog."""
        self._ask()
        return Member(self, group, topics)

    def close(self) -> None:
        """See EventLog."""


class Member:
    """A Consumer."""

    def __init__(self, log: ProcessLog, group: str, topics: Sequence[str]) -> None:
        self._log = log
        self._broker = log._broker
        self._kernel = log._kernel
        self._name = group
        self._group = self._broker.group(group, topics)
        self._seat = Seat(log._process.name)
        self._seen: dict[Partition, int] = {}
        self._offsets: dict[Partition, int] = {}
        self._woken = False
        self._turn = 0
        self._group.heard(self._seat)

    def assignment(self) -> frozenset[Partition]:
        """See Consumer."""
        return frozenset(self._seen)

    def poll(self, timeout_seconds: float, *, max_bytes: int) -> Sequence[Record]:
        """See Consumer."""
        deadline = self._kernel.now + timeout_seconds
        while True:
            self._log._ask()
            self._group.heard(self._seat)
            before = set(self._seen)
            self._accept()
            records = self._read(max_bytes)
            now = self._kernel.now
            if records or before - self._seen.keys() or self._woken or now >= deadline:
                self._woken = False
                return records
            self._seat.waiting = self._kernel.fiber
            self._kernel.wait(min(deadline - now, 3.0))
            self._seat.waiting = None

    def _accept(self) -> None:
        """What went, or went and came back, is missing once; what is new is taken."""
        owned = self._seat.owned
        gone = [partition for partition, number in self._seen.items() if owned.get(partition) != number]
        for partition in gone:
            del self._seen[partition]
            del self._offsets[partition]
        for partition, number in owned.items():
            if partition not in self._seen and partition not in gone:
                self._seen[partition] = number
                commit = self._broker.commits.get((self._name, partition))
                self._offsets[partition] = 0 if commit is None else commit.offset

    def _read(self, max_bytes: int) -> Sequence[Record]:
        partitions = sorted(self._seen) if max_bytes > 0 else []
        for _ in partitions:
            self._turn = (self._turn + 1) % len(partitions)
            partition = partitions[self._turn]
            records = self._broker.read(partition, self._offsets[partition], max_bytes)
            if records:
                self._offsets[partition] = records[-1].offset + 1
                return records
        return ()

    def seek(self, partition: Partition, offset: int) -> None:
        """See Consumer."""
        if partition not in self._seen:
            raise Fenced(f"{partition} is not assigned")
        self._offsets[partition] = offset

    def committed(self, partition: Partition) -> Commit | None:
        """See Consumer."""
        self._log._ask()
        return self._broker.commits.get((self._name, partition))

    def commit(self, partition: Partition, commit: Commit) -> None:
        """See Consumer."""
        self._log._ask()
        if self._seat.owned.get(partition, -1) != self._seen.get(partition):
            raise Fenced(f"{partition} is another member's")
        ambiguous = self._broker.weather.has(Condition.LOG_AMBIGUOUS)
        if not ambiguous or self._kernel.random.random() < 0.5:
            self._broker.commits[self._name, partition] = commit
            what = f"declares {commit.offset}–{commit.metadata}" if commit.metadata else f"confirms {commit.offset}"
            self._kernel.history.add(self._seat.name, f"{what} of {partition}")
        if ambiguous:
            raise LogUnavailable("no answer of the log")
        # The answer's way: who dies here does not know of it.
        self._kernel.sleep(self._kernel.random.random() * 0.002)

    def wake(self) -> None:
        """See Consumer."""
        self._woken = True
        if self._seat.waiting is not None:
            self._kernel.wake(self._seat.waiting)

    def close(self) -> None:
        """See Consumer."""
        self._group.leave(self._seat)
        self._seen.clear()
        self._offsets.clear()
