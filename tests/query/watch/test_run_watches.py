"""Watches share searches, are told of what is new and of no more than they can take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence

import numpy as np
import pytest
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import FleetlogError, InvalidArgument, ResourceExhausted, Unavailable
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_proto.v1 import run_pb2, watch_pb2
from fleetlog_query.watch import run_watches
from fleetlog_query.watch.run_changes import Held
from fleetlog_query.watch.run_watches import RunWatches, Watched

from tests.warehouses import Untouched

EVERY = Partition(EVENTS, 0)
ChangeFeed = AsyncGenerator[watch_pb2.WatchRunsResponse, None]


class Applied(Untouched):
    """A warehouse whose only table is `applied`: a batch is one more offset."""

    def __init__(self) -> None:
        self.offset = 1

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        upto = np.array([self.offset], np.uint64)
        return Answer({"topic": [EVENTS], "part": np.array([0], np.uint16), "upto": upto}, 1, 1, 0)


class Fleet:
    """One run whose metric is how many batches were applied; counts how often it was searched."""

    def __init__(self) -> None:
        self.warehouse = Applied()
        self.applied = AppliedWatch(self.warehouse)
        self.watches = RunWatches(self.applied)
        self.searches = 0
        self.failure: FleetlogError | None = None
        self.released = asyncio.Event()
        self.released.set()

    def apply(self) -> None:
        self.warehouse.offset += 1
        self.applied.poke()

    async def search(self) -> Sequence[run_pb2.Run]:
        value = float(self.warehouse.offset)
        self.searches += 1
        await self.released.wait()
        if self.failure is not None:
            raise self.failure
        return [run_pb2.Run(run_id="a", metrics=[run_pb2.MetricSummary(key="x", last=value)])]

    def watch(self, name: bytes = b"same", at_least: int = 0, clocked: bool = False) -> ChangeFeed:
        async def nothing() -> Held:
            return Held()

        return self.watches.changes(Watched(name, self.search, clocked), nothing, {EVERY: at_least} if at_least else {})


def values(response: watch_pb2.WatchRunsResponse) -> list[float]:
    return [run.metrics[0].last for run in (*response.entered, *response.changed)]


async def next_of(changes: ChangeFeed) -> watch_pb2.WatchRunsResponse:
    async with asyncio.timeout(30):
        return await anext(changes)


async def reached(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition was not reached"
        await asyncio.sleep(0.001)


def test_what_is_applied_is_told() -> None:
    async def scenario() -> None:
        fleet = Fleet()
        changes = fleet.watch()
        first = await next_of(changes)
        assert (first.snapshot, values(first)) == (True, [1.0])
        for offset in (2, 3):
            fleet.apply()
            response = await next_of(changes)
            assert (response.snapshot, values(response)) == (False, [float(offset)])
            assert response.position.offsets[0].next_offset == offset
        await changes.aclose()
        await fleet.applied.close()

    asyncio.run(scenario())


def test_many_that_ask_the_same_share_one_search() -> None:
    async def scenario() -> None:
        fleet = Fleet()
        many = [fleet.watch() for _ in range(100)]
        assert [values(one) for one in await asyncio.gather(*map(next_of, many))] == [[1.0]] * 100
        assert fleet.searches == 1
        fleet.apply()
        assert [values(one) for one in await asyncio.gather(*map(next_of, many))] == [[2.0]] * 100
        assert fleet.searches == 2
        for one in many:
            await one.aclose()
        other = fleet.watch()
        assert values(await next_of(other)) == [2.0], "who comes when all have gone begins a search of its own"
        assert fleet.searches == 3
        await other.aclose()
        await fleet.applied.close()

    asyncio.run(scenario())


def test_who_is_slow_gets_one_difference_for_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_watches, "INTERVAL_SECONDS", 0.001)

    async def scenario() -> None:
        fleet = Fleet()
        slow, quick = fleet.watch(), fleet.watch()
        await next_of(slow)
        await next_of(quick)
        for _ in range(20):
            fleet.apply()
            await next_of(quick)
        assert values(await next_of(slow)) == [21.0]
        await slow.aclose()
        await quick.aclose()
        await fleet.applied.close()

    asyncio.run(scenario())


def test_batches_that_come_quickly_are_searched_for_together() -> None:
    async def scenario() -> None:
        fleet = Fleet()
        changes = fleet.watch()
        await next_of(changes)
        begun = time.monotonic()
        seen = [0.0]
        while seen != [200.0]:
            if fleet.warehouse.offset < 200:
                fleet.apply()
                await asyncio.sleep(0.002)
            else:
                seen = values(await next_of(changes))
        elapsed = time.monotonic() - begun
        assert fleet.searches <= 3 + elapsed / run_watches.INTERVAL_SECONDS
        await changes.aclose()
        await fleet.applied.close()

    asyncio.run(scenario())


def test_nothing_applied_is_nothing_searched_but_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_watches, "CLOCK_SECONDS", 0.0)

    async def scenario() -> None:
        fleet = Fleet()
        still, clocked = fleet.watch(b"still"), fleet.watch(b"clocked", clocked=True)
        await next_of(still)
        await next_of(clocked)
        waiting = [asyncio.create_task(next_of(one)) for one in (still, clocked)]
        await reached(lambda: fleet.searches >= 5)
        assert not waiting[0].done(), "the same again is not told"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await fleet.applied.close()

    asyncio.run(scenario())


def test_a_snapshot_from_before_what_was_asked_for_is_not_told() -> None:
    async def scenario() -> None:
        fleet = Fleet()
        first = fleet.watch()
        await next_of(first)
        later = asyncio.create_task(next_of(fleet.watch(at_least=2)))
        await asyncio.sleep(0)
        assert not later.done()
        fleet.apply()
        assert values(await later) == [2.0]
        await first.aclose()
        await fleet.applied.close()

    asyncio.run(scenario())


def test_a_search_that_fails_ends_its_watches_and_the_next_begins_anew() -> None:
    async def scenario() -> None:
        fleet = Fleet()
        two = [fleet.watch(), fleet.watch()]
        for one in two:
            await next_of(one)
        fleet.failure = InvalidArgument("GONE", "gone")
        fleet.apply()
        for one in two:
            with pytest.raises(InvalidArgument):
                await next_of(one)
        fleet.failure = None
        again = fleet.watch()
        assert values(await next_of(again)) == [2.0]
        await again.aclose()
        await fleet.applied.close()

    asyncio.run(scenario())


def test_a_server_that_ends_tells_its_watches() -> None:
    async def scenario() -> None:
        fleet = Fleet()
        changes = fleet.watch()
        await next_of(changes)
        waiting = asyncio.create_task(next_of(changes))
        await asyncio.sleep(0)
        fleet.watches.close()
        with pytest.raises(Unavailable) as caught:
            await waiting
        assert caught.value.reason == "SHUTTING_DOWN"
        with pytest.raises(Unavailable):
            await next_of(fleet.watch())
        await fleet.applied.close()

    asyncio.run(scenario())


def test_too_many_watches_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_watches, "WATCHES", 1)

    async def scenario() -> None:
        fleet = Fleet()
        one = fleet.watch()
        await next_of(one)
        with pytest.raises(ResourceExhausted, match="1 watches already"):
            await next_of(fleet.watch())
        await one.aclose()
        other = fleet.watch()
        await next_of(other)
        await other.aclose()
        await fleet.applied.close()

    asyncio.run(scenario())
