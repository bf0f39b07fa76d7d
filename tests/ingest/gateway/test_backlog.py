from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_ingest.gateway import backlog as rules
from fleetlog_ingest.gateway.backlog import FIRST_BYTES, LEAST_BYTES, STILL_SECONDS, Backlog
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from tests.ingest.gateway.serving import SECONDS, serving
from tests.ingest.gateway.test_stream import follow, opened
from tests.ingest.materializer.builders import frame

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


def huge_frames(count: int, points: int = 100_000) -> Iterator[ingest_pb2.AppendEventsRequest]:
    writer = b"h" * 16
    yield ingest_pb2.AppendEventsRequest(frame=opened(writer))
    column = event_pb2.MetricColumn(key="x", values=[0.5] * points)
    for sequence in range(2, count + 2):
        points_of_one = event_pb2.MetricsLogged(step_deltas=[1] * points, columns=[column])
        event = event_pb2.Event(sequence=sequence, observe_time_millis=1, metrics_logged=points_of_one)
        yield ingest_pb2.AppendEventsRequest(frame=frame(event, writer=writer))


def test_a_stream_of_huge_frames_is_read_on_later_and_one_beside_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tables do nothing at all here; that is no reason to slow nobody.
    monkeypatch.setattr(rules, "STILL_SECONDS", 10 * SECONDS)
    monkeypatch.setattr(rules, "MOST_WAIT_SECONDS", 10 * SECONDS)
    log = MemoryLog()

    def logged_bytes() -> int:
        return sum(len(record.value) for record in log.read(HERE, 0, max_bytes=1 << 30))

    with serving(log, tmp_path) as gateway:
        heavy = gateway.ingest.AppendEvents(huge_frames(60), timeout=4 * SECONDS)
        while logged_bytes() < FIRST_BYTES - 1_000_000:
            next(heavy)
        answers = gateway.append([opened(), *(follow(sequence) for sequence in range(2, 50))])
        assert answers[-1].durable_sequence == 49
        assert logged_bytes() < FIRST_BYTES + 2_000_000
        heavy.cancel()
        with pytest.raises(grpc.RpcError):
            list(heavy)
