"""WatchRuns' core: searches that stay live.

Watches that ask the same share one search. It is done again when a batch was applied since: not more than once in
INTERVAL_SECONDS, and all searches of all watches together take turns, so that they never use more than half of one core
however many there are. A client is told the difference between what it has and what there is when it can take it: one
that is slow is told of fewer, larger differences, and nothing queues up for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import ResourceExhausted, Unavailable
from fleetlog_core.log.port import Partition
from fleetlog_core.position import covers
from fleetlog_proto.v1 import run_pb2, watch_pb2

from fleetlog_query.watch.run_changes import Held, Snapshot

INTERVAL_SECONDS = 0.1
CLOCK_SECONDS = 1.0
"""Seconds after which a filter that asks for now() is evaluated though nothing was applied."""
SEARCH_SECONDS = 10.0
WATCHES = 1_000
"""Maximum watches of one server."""


@dataclass(frozen=True)
class Watched:
    """Search that is watched: watches with an equal `name` share `search`, which gives the foremost runs in order."""

    name: bytes
    search: Callable[[], Awaitable[Sequence[run_pb2.Run]]]
    clocked: bool
    """True if time alone changes what matches."""


class RunWatches:
    """All watches of a server. Used from one event loop."""

    def __init__(self, applied: AppliedWatch) -> None:
        self._applied = applied
        self._shared: dict[bytes, _Shared] = {}
        self._turn = asyncio.Semaphore(1)
        self._watches = 0
        self._closing = False

    async def changes(
        self, watched: Watched, holds: Callable[[], Awaitable[Held]], at_least: Mapping[Partition, int]
    ) -> AsyncGenerator[watch_pb2.WatchRunsResponse, None]:
        """Changes to what the client holds, without end; all of it at first, when that is nothing.

        `holds` is asked behind the first search: what it knows to be unchanged is then as that search found it.
        TOO_MANY_WATCHES; SHUTTING_DOWN when the server ends; and whatever the search raises.
        """
        if self._closing:
            raise _shutting_down()
        if self._watches >= WATCHES:
            raise ResourceExhausted(
                "TOO_MANY_WATCHES", f"the server has {WATCHES:,} watches already; try again", retry_after_seconds=5.0
            )
        shared = self._shared.get(watched.name)
        if shared is None:
            shared = self._shared[watched.name] = _Shared(watched, self._applied, self._turn)
        self._watches += 1
        shared.watches += 1
        seen = 0
        held: Held | None = None
        try:
            while True:
                snapshot = await shared.after(seen)
                if covers(snapshot.position, at_least):
                    held = held or await holds()
                    response = held.advance(snapshot)
                    if response is not None:
                        yield response
                seen = snapshot.number
        finally:
            self._watches -= 1
            shared.watches -= 1
            if not shared.watches or shared.failed:
                shared.end(_shutting_down())
                if self._shared.get(watched.name) is shared:
                    del self._shared[watched.name]

    def close(self) -> None:
        """End all of them with SHUTTING_DOWN: their clients resume at another server, or when this one is back."""
        self._closing = True
        for shared in self._shared.values():
            shared.end(_shutting_down())


class _Shared:
    """One search that some watches share."""

    def __init__(self, watched: Watched, applied: AppliedWatch, turn: asyncio.Semaphore) -> None:
        self.watches = 0
        self._watched = watched
        self._applied = applied
        self._turn = turn
        self._latest: Snapshot | None = None
        self._failure: Exception | None = None
        self._fresh = asyncio.Condition()
        self._task = asyncio.create_task(self._run())

    @property
    def failed(self) -> bool:
        """True if it does not go on."""
        return self._failure is not None

    async def after(self, number: int) -> Snapshot:
        """The latest snapshot, once there is one later than that of a number."""
        async with self._fresh:
            await self._fresh.wait_for(lambda: self._failure or (self._latest and self._latest.number > number))
        if self._failure is not None:
            raise self._failure
        if self._latest is None:
            raise _shutting_down()
        return self._latest

    def end(self, failure: Exception) -> None:
        """Search no more; who waits gets the failure."""
        if self._failure is None:
            self._failure = failure
            self._task.cancel()
            self._telling = asyncio.create_task(self._tell())

    async def _run(self) -> None:
        try:
            position = await self._applied.now()
            number = 0
            while True:
                begun = time.monotonic()
                async with self._turn:
                    # What came while it waited for its turn is in it too.
                    position, before = self._applied.known, time.monotonic()
                    number += 1
                    self._latest = Snapshot.of(position, await self._watched.search(), number)
                    await self._tell()
                    # It keeps the turn as long again: searches of watches take half of the time at most.
                    await asyncio.sleep(time.monotonic() - before)
                await asyncio.sleep(begun + INTERVAL_SECONDS - time.monotonic())
                await self._applied.moved(position, CLOCK_SECONDS if self._watched.clocked else None)
        except Exception as error:  # told to whoever watches
            self._failure = error
            await self._tell()

    async def _tell(self) -> None:
        async with self._fresh:
            self._fresh.notify_all()


def _shutting_down() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "the server ends; watch again from where you are", retry_after_seconds=0.5)
