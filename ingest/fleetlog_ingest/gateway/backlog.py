"""Back-pressure from the lag: streams that log more than the tables take are slowed, and no others.

    backlog     bytes that the log has of this gateway's streams, and the tables don't have yet, by partition
    fair share  of a partition's backlog: the bound, divided by the streams that have some of it

Reads of a run wait for its partition alone, so what lies before them there must not be more than a few seconds' work. A
stream above its fair share of a backlog that is above the bound is read on when there is less. Where nothing is applied
for a while nobody is slowed: the log takes what comes, however long there is no materializer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from itertools import count
from typing import Protocol

from fleetlog_core.log.port import Partition

LAG_SECONDS = 2.0
"""Seconds of a materializer's work that a partition's backlog may be: what whoever writes there waits for a read, and
enough for full batches."""
LEAST_BYTES = 4 * 1024 * 1024
"""Bytes of backlog that slow nobody, however slow the materializer is: some hundred thousand points."""
FIRST_BYTES = 16 * 1024 * 1024
"""Bytes of backlog that slow nobody while the materializer's pace is not known."""
STILL_SECONDS = 15.0
"""Seconds without a batch after which nobody is slowed until the next one."""
MOST_WAIT_SECONDS = 20.0
"""The longest that a stream is kept waiting at once: its client takes a longer silence for a broken connection."""
LOOK_SECONDS = 1.0
GRAIN_BYTES = 256 * 1024
"""Smaller records of one stream are counted together."""


class Applied(Protocol):
    """How far the tables are. AppliedWatch is one."""

    async def moved(self, beyond: Mapping[Partition, int], timeout_seconds: float | None) -> dict[Partition, int]:
        """A position that reads see everything before, once it is beyond another or when the time ran out."""
        ...


class _Lane:
    """One partition: what each stream has there that the tables lack."""

    def __init__(self, now: float) -> None:
        self.streams: dict[int, deque[list[int]]] = {}
        """[last offset, bytes] of some records each, by stream."""
        self.of_streams: Counter[int] = Counter()
        self.total = 0
        self.rate = 0.0
        """Bytes a second that were applied lately; 0: not known."""
        self.moved_at = now

    def bound(self) -> float:
        """Bytes that may wait for the tables."""
        return max(LEAST_BYTES, self.rate * LAG_SECONDS) if self.rate else FIRST_BYTES

    def add(self, stream: int, offset: int, size: int) -> None:
        entries = self.streams.setdefault(stream, deque())
        if entries and entries[-1][1] < GRAIN_BYTES:
            entries[-1] = [max(entries[-1][0], offset), entries[-1][1] + size]
        else:
            entries.append([offset, size])
        self.of_streams[stream] += size
        self.total += size

    def drop(self, upto: int) -> int:
        """Forget what is applied: all before this offset. Bytes that were forgotten."""
        before = self.total
        for stream, entries in list(self.streams.items()):
            while entries and entries[0][0] < upto:
                size = entries.popleft()[1]
                self.of_streams[stream] -= size
                self.total -= size
            if not entries:
                del self.streams[stream], self.of_streams[stream]
        return before - self.total


class Backlog:
    """The backlogs of one gateway. For one event loop."""

    def __init__(
        self,
        applied: Applied,
        told: Callable[[str], None] = lambda reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`told` is called with LAG_OF_TABLES whenever a stream begins to wait."""
        self._applied = applied
        self._told = told
        self._clock = clock
        self._lanes: dict[Partition, _Lane] = {}
        self._known: Mapping[Partition, int] = {}
        self._watching: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._numbers = count()

    def stream(self) -> int:
        """A number for a new stream."""
        return next(self._numbers)

    def add(self, stream: int, partition: Partition, offset: int, size: int) -> None:
        """The log has a record more of the stream."""
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = _Lane(self._clock())
        if not lane.total:
            # Nothing was to be applied until now.
            lane.moved_at = self._clock()
        lane.add(stream, offset, size)
        if lane.total >= LEAST_BYTES // 2 and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._watch())

    async def wait(self, stream: int, under_way: Callable[[], int] = lambda: 0) -> None:
        """Until the stream is within its fair share of every partition, MOST_WAIT_SECONDS at most.

        `under_way`: bytes of the stream that are on their way into the log; `came_back` tells of fewer.
        """
        if not self._is_over(stream, under_way()):
            return
        self._told("LAG_OF_TABLES")
        deadline = self._clock() + MOST_WAIT_SECONDS
        while self._is_over(stream, under_way()) and (rest := deadline - self._clock()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(rest):
                    await self._changed.wait()
            except TimeoutError:
                return

    def came_back(self) -> None:
        """Some stream has fewer bytes under way."""
        self._changed.set()

    def close(self) -> None:
        """Stop looking."""
        if self._watching is not None:
            self._watching.cancel()

    def _is_over(self, stream: int, under_way_bytes: int) -> bool:
        for lane in self._lanes.values():
            total = lane.total + under_way_bytes
            if total <= LEAST_BYTES or total <= (bound := lane.bound()):
                continue
            mine = lane.of_streams.get(stream, 0)
            if mine and mine + under_way_bytes > bound / len(lane.of_streams):
                return self._clock() - lane.moved_at < STILL_SECONDS
        return False

    async def _watch(self) -> None:
        """Look how far the tables are, while there is much that they lack."""
        # What was applied before this look was applied at nobody knows what pace.
        is_first = True
        while any(lane.total >= LEAST_BYTES // 2 for lane in self._lanes.values()):
            self._know(await self._applied.moved(self._known, LOOK_SECONDS), is_first=is_first)
            is_first = False
            self._changed.set()

    def _know(self, known: Mapping[Partition, int], *, is_first: bool) -> None:
        now, self._known = self._clock(), dict(known)
        for partition, lane in self._lanes.items():
            gone = lane.drop(known.get(partition, 0))
            if not gone:
                continue
            if not is_first:
                rate = gone / max(now - lane.moved_at, 0.001)
                lane.rate = 0.7 * lane.rate + 0.3 * rate if lane.rate else rate
            lane.moved_at = now
