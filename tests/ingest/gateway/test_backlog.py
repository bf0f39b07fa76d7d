from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_ingest.gateway.backlog import FIRST_BYTES, LEAST_BYTES, STILL_SECONDS, Backlog

HERE, THERE = Partition(EVENTS, 0), Partition(EVENTS, 1)
HEAVY, LIGHT = 1, 2
FRAME = 4 * 1024 * 1024


class Tables:
    """Tables that are as far as a test says, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self._known: dict[Partition, int] = {}
        self._changed = asyncio.Event()
        self.looks = asyncio.Semaphore(0)

    def clock(self) -> float:
        return self.now

    def apply(self, partition: Partition, next_offset: int) -> None:
        self._known = {**self._known, partition: next_offset}
        self._changed.set()

    async def moved(self, beyond: Mapping[Partition, int], timeout_seconds: float | None) -> dict[Partition, int]:
        self.looks.release()
        while dict(beyond) == self._known:
            self._changed.clear()
            await self._changed.wait()
        return self._known


def fill(backlog: Backlog, partition: Partition = HERE, count: int = 20, first: int = 0) -> None:
    for offset in range(first, first + count):
        backlog.add(HEAVY, partition, offset, FRAME)


def test_the_heaviest_stream_waits_until_the_tables_have_come_on_and_no_other() -> None:
    async def scenario() -> list[str]:
        told: list[str] = []
        tables = Tables()
        backlog = Backlog(tables, told.append, tables.clock)
        fill(backlog)
        backlog.add(LIGHT, HERE, 20, 1_000)
        await backlog.wait(LIGHT)
        heavy = asyncio.create_task(backlog.wait(HEAVY))
        await tables.looks.acquire()
        tables.now = 10.0
        tables.apply(HERE, 5)
        await tables.looks.acquire()
        assert not heavy.done()
        tables.apply(HERE, 19)
        await heavy
        backlog.close()
        return told

    assert asyncio.run(scenario()) == ["LAG_OF_TABLES"]


def test_partitions_are_counted_apart() -> None:
    async def scenario() -> None:
        tables = Tables()
        backlog = Backlog(tables, clock=tables.clock)
        for number in range(20):
            fill(backlog, Partition(EVENTS, number), LEAST_BYTES // FRAME)
        await backlog.wait(HEAVY)
        backlog.close()

    asyncio.run(scenario())


def test_a_quick_materializer_leaves_room_for_seconds_of_its_work() -> None:
    async def scenario() -> None:
        tables = Tables()
        backlog = Backlog(tables, clock=tables.clock)
        fill(backlog)
        await tables.looks.acquire()
        tables.apply(HERE, 1)
        await tables.looks.acquire()
        tables.now = 1.0
        tables.apply(HERE, 12)
        await tables.looks.acquire()
        fill(backlog, count=10, first=20)
        await backlog.wait(HEAVY)
        backlog.close()

    asyncio.run(scenario())


def test_without_a_materializer_nobody_waits() -> None:
    async def scenario() -> None:
        tables = Tables()
        backlog = Backlog(tables, clock=tables.clock)
        fill(backlog)
        tables.now = STILL_SECONDS
        await backlog.wait(HEAVY)
        backlog.close()

    asyncio.run(scenario())


def test_what_is_on_its_way_into_the_log_counts_until_it_comes_back() -> None:
    async def scenario() -> None:
        tables = Tables()
        backlog = Backlog(tables, clock=tables.clock)
        under_way = [FIRST_BYTES]
        backlog.add(HEAVY, HERE, 0, FRAME)
        await backlog.wait(LIGHT, lambda: FIRST_BYTES)
        heavy = asyncio.create_task(backlog.wait(HEAVY, lambda: under_way[0]))
        await asyncio.sleep(0)
        assert not heavy.done()
        under_way[0] = 0
        backlog.came_back()
        await heavy
        backlog.close()

    asyncio.run(scenario())


def test_a_slow_materializer_leaves_room_for_little_once_its_pace_is_known() -> None:
    async def scenario() -> None:
        tables = Tables()
        backlog = Backlog(tables, clock=tables.clock)
        fill(backlog, count=FIRST_BYTES // FRAME)
        await backlog.wait(HEAVY)
        await tables.looks.acquire()
        tables.apply(HERE, 1)
        await tables.looks.acquire()
        tables.now = 10.0
        tables.apply(HERE, 2)
        await tables.looks.acquire()
        heavy = asyncio.create_task(backlog.wait(HEAVY))
        await asyncio.sleep(0)
        assert not heavy.done()
        tables.apply(HERE, 3)
        await heavy
        backlog.close()

    asyncio.run(scenario())
