from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from fleetlog_core import applied
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import DeadlineExceeded
from fleetlog_core.log.port import CONTROL, EVENTS, Partition
from fleetlog_core.warehouse.port import (
    Answer,
    Array,
    Statement,
    TimedOut,
    WarehouseRefused,
    WarehouseUnavailable,
)

from tests.warehouses import Untouched

ONE, TWO = Partition(EVENTS, 0), Partition(CONTROL, 0)


class Applied(Untouched):
    """A warehouse whose only table is `applied`; `look` is called first at every select."""

    def __init__(self, look: Callable[[int], None] = lambda number: None) -> None:
        self.offsets: dict[Partition, int] = {}
        self.looks = 0
        self._look = look

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        self.looks += 1
        self._look(self.looks)
        offsets = dict(self.offsets)
        columns: dict[str, Array | list[str]] = {
            "topic": [partition.topic for partition in offsets],
            "part": np.array([partition.number for partition in offsets], np.uint16),
            "upto": np.array(list(offsets.values()), np.uint64),
        }
        return Answer(columns, len(offsets), len(offsets), 0)


async def reached(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not reached"
        await asyncio.sleep(0.001)


def test_a_wait_ends_when_everything_is_applied() -> None:
    async def scenario() -> None:
        warehouse = Applied()
        watch = AppliedWatch(warehouse)
        waiting = asyncio.create_task(watch.wait({ONE: 3, TWO: 1}, 30))
        await reached(lambda: warehouse.looks > 1)
        warehouse.offsets[ONE] = 5
        seen = warehouse.looks
        await reached(lambda: warehouse.looks > seen + 1)
        assert not waiting.done(), "half of it is not all of it"
        warehouse.offsets[TWO] = 1
        await waiting
        await watch.close()

    asyncio.run(scenario())


def test_what_is_known_needs_no_look_and_nobody_looks_when_nobody_waits() -> None:
    async def scenario() -> None:
        warehouse = Applied()
        warehouse.offsets[ONE] = 3
        watch = AppliedWatch(warehouse)
        await watch.wait({}, 0.0)
        assert warehouse.looks == 0
        await watch.wait({ONE: 3}, 30)
        await reached(lambda: len(asyncio.all_tasks()) == 1)
        looks = warehouse.looks
        watch.poke()
        await watch.wait({ONE: 2}, 0.0)
        assert warehouse.looks == looks
        await watch.wait({ONE: 3}, 0.0)
        warehouse.offsets[ONE] = 4
        await watch.wait({ONE: 4}, 30)
        await watch.close()

    asyncio.run(scenario())


def test_many_that_wait_share_the_looks() -> None:
    async def scenario() -> None:
        released = threading.Event()

        def look(number: int) -> None:
            released.wait(30)

        warehouse = Applied(look)
        watch = AppliedWatch(warehouse)
        waiting = [asyncio.create_task(watch.wait({ONE: n}, 30)) for n in range(1, 201)]
        await reached(lambda: warehouse.looks == 1)
        warehouse.offsets[ONE] = 200
        released.set()
        await asyncio.gather(*waiting)
        assert warehouse.looks == 1
        await watch.close()

    asyncio.run(scenario())


def test_time_runs_out() -> None:
    async def scenario() -> None:
        warehouse = Applied()
        warehouse.offsets[ONE] = 2
        watch = AppliedWatch(warehouse)
        with pytest.raises(DeadlineExceeded, match=r"after 0\.0 s; it is safe in the log: try again") as caught:
            await watch.wait({ONE: 3}, 0.03)
        assert caught.value.reason == "POSITION_NOT_REACHED"
        await watch.wait({ONE: 2}, 30)
        warehouse.offsets[ONE] = 3
        await watch.wait({ONE: 3}, 30)
        await watch.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error", [WarehouseUnavailable("not now"), TimedOut("too slow"), WarehouseRefused("no such table")]
)
def test_a_warehouse_that_fails_for_a_while_ends_no_wait(error: Exception) -> None:
    def look(number: int) -> None:
        if number <= 3:
            raise error

    async def scenario() -> None:
        warehouse = Applied(look)
        warehouse.offsets[ONE] = 1
        watch = AppliedWatch(warehouse)
        await watch.wait({ONE: 1}, 30)
        assert warehouse.looks == 4
        await watch.close()

    asyncio.run(scenario())


def test_a_poke_from_another_thread_is_a_look_now() -> None:
    async def scenario() -> None:
        warehouse = Applied()
        watch = AppliedWatch(warehouse)
        watch.poke()  # nobody waits: nothing to wake
        waiting = asyncio.create_task(watch.wait({ONE: 1}, 30))
        await reached(lambda: warehouse.looks > 0)

        def apply() -> None:
            warehouse.offsets[ONE] = 1
            watch.poke()

        await asyncio.to_thread(apply)
        await waiting
        await watch.close()
        watch.poke()

    asyncio.run(scenario())


def test_who_hears_of_every_batch_looks_once() -> None:
    async def scenario() -> None:
        warehouse = Applied()
        watch = AppliedWatch(warehouse, alone=True)
        watch.poke(ONE, 1)  # nobody ever waited: the first look tells
        warehouse.offsets[ONE] = 1
        await watch.wait({ONE: 1}, 30)
        assert warehouse.looks == 1
        waiting = [asyncio.create_task(watch.wait({ONE: upto}, 30)) for upto in (2, 3)]
        await asyncio.to_thread(watch.poke, ONE, 2)
        await waiting[0]
        await asyncio.to_thread(watch.poke, ONE, 4)
        await waiting[1]
        await asyncio.to_thread(watch.poke, ONE, 3)  # told late: nobody forgets what was known
        await watch.wait({ONE: 4}, 30)
        assert warehouse.looks == 1
        await watch.close()

    asyncio.run(scenario())


def test_a_caller_who_leaves_and_a_close_leave_nothing_behind() -> None:
    async def scenario() -> None:
        warehouse = Applied()
        watch = AppliedWatch(warehouse)
        waiting = asyncio.create_task(watch.wait({ONE: 1}, 30))
        await reached(lambda: warehouse.looks > 0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await reached(lambda: len(asyncio.all_tasks()) == 1)
        await watch.close()

    asyncio.run(scenario())


def test_whoever_waits_for_anything_new_is_told_of_it_and_looks_seldom() -> None:
    async def scenario() -> None:
        warehouse = Applied()
        warehouse.offsets[ONE] = 3
        watch = AppliedWatch(warehouse)
        assert await watch.now() == {ONE: 3}
        assert await watch.moved({}, None) == {ONE: 3}
        assert await watch.moved({ONE: 3}, 0.0) == {ONE: 3}, "time ran out"
        waiting = asyncio.create_task(watch.moved({ONE: 3}, None))
        looks = warehouse.looks
        await reached(lambda: warehouse.looks > looks)
        warehouse.offsets[TWO] = 1
        assert await waiting == {ONE: 3, TWO: 1}
        await watch.close()

    asyncio.run(scenario())


def test_a_wait_for_a_position_does_not_wait_with_the_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applied, "PATIENT_SECONDS", 3_600.0)

    async def scenario() -> None:
        warehouse = Applied()
        watch = AppliedWatch(warehouse)
        waiting = asyncio.create_task(watch.moved({}, None))
        await reached(lambda: warehouse.looks == 1)
        warehouse.offsets[ONE] = 1
        await watch.wait({ONE: 1}, 30)
        assert await waiting == {ONE: 1}
        await watch.close()

    asyncio.run(scenario())
