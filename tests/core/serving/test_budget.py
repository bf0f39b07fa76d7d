from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.serving.budget import Bounds, Budget
from fleetlog_core.serving.pace import Pace

BOUNDS = Bounds(100, 60, "BUSY", "SLOW", "things", wait_seconds=30.0)


class Clock:
    """Seconds that pass by themselves, a little with each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


def test_calls_wait_for_room_of_the_process_and_of_their_client() -> None:
    async def scenario() -> None:
        budget = Budget(BOUNDS)
        first = await budget.enter("a", 50, None)
        of_client = asyncio.create_task(budget.enter("a", 20, None))
        other = await budget.enter("b", 50, None)
        of_process = asyncio.create_task(budget.enter("c", 10, None))
        await asyncio.sleep(0)
        assert (of_client.done(), of_process.done(), budget.held) == (False, False, 100)
        budget.hold(first, 30)
        await asyncio.gather(of_process)
        assert budget.held == 90
        budget.leave(other)
        await asyncio.gather(of_client)
        assert budget.held == 60

    asyncio.run(scenario())


def test_who_finds_no_room_in_time_is_told_when_to_come_again() -> None:
    async def scenario() -> tuple[ResourceExhausted, list[str]]:
        told: list[str] = []
        budget = Budget(BOUNDS, told.append)
        await budget.enter("a", 60, None)
        with pytest.raises(ResourceExhausted) as error:
            await budget.enter("a", 1, 0.0)
        assert budget.waiting == 0
        return error.value, told

    error, told = asyncio.run(scenario())
    assert (error.reason, error.retry_after_seconds, told) == ("BUSY", 2.0, ["BUSY"])


def test_one_that_is_larger_than_all_bounds_goes_alone() -> None:
    async def scenario() -> None:
        budget = Budget(BOUNDS)
        budget.leave(await budget.enter("a", 1_000, None))
        assert budget.held == 0

    asyncio.run(scenario())


def test_a_reserve_is_for_clients_that_hold_nothing() -> None:
    async def scenario() -> None:
        budget = Budget(replace(BOUNDS, reserve=20))
        await budget.enter("a", 60, None)
        await budget.enter("b", 40, None)
        await budget.enter("c", 20, 0.0)
        with pytest.raises(ResourceExhausted):
            await budget.enter("b", 1, 0.0)

    asyncio.run(scenario())


def test_of_those_that_wait_the_client_that_holds_least_goes_first() -> None:
    async def scenario() -> None:
        budget = Budget(BOUNDS)
        first = await budget.enter("a", 50, None)
        second = await budget.enter("b", 50, None)
        order: list[str] = []

        async def enter(client: str) -> None:
            await budget.enter(client, 10, None)
            order.append(client)

        waiting = [asyncio.create_task(enter(client)) for client in ("a", "b", "a", "c", "d")]
        await asyncio.sleep(0)
        budget.hold(first, 40)
        await asyncio.wait([waiting[3]])
        budget.leave(second)
        await asyncio.gather(*waiting)
        assert order[0] == "c"
        assert order.index("d") < order.index("a")

    asyncio.run(scenario())


def test_one_whose_client_is_at_its_bound_keeps_no_other_waiting() -> None:
    async def scenario() -> None:
        budget = Budget(BOUNDS)
        await budget.enter("a", 60, None)
        waiting = asyncio.create_task(budget.enter("a", 10, None))
        await asyncio.sleep(0)
        await budget.enter("b", 40, 0.0)
        waiting.cancel()

    asyncio.run(scenario())


def test_the_largest_of_the_slow_is_ended_and_only_when_others_wait() -> None:
    async def scenario() -> None:
        clock = Clock()
        budget = Budget(BOUNDS, clock=clock)
        small, large = await budget.enter("a", 20, None), await budget.enter("b", 50, None)
        quick = await budget.enter("c", 30, None)
        for share in (small, large):
            share.pace.wait(0.0)
        clock.now = 60.0
        assert not large.ended.is_set()
        waits = asyncio.create_task(budget.enter("d", 40, None))
        await asyncio.wait_for(large.ended.wait(), 10)
        assert (small.ended.is_set(), quick.ended.is_set()) == (False, False)
        budget.leave(large)
        await waits

    asyncio.run(scenario())


def test_the_pace_counts_only_what_the_other_side_is_waited_for() -> None:
    pace, now = Pace(100.0, 10.0), 0.0
    for _ in range(10):
        # A second for 200 bytes, and then many of our own.
        pace.wait(now)
        pace.move(200, now + 1)
        now += 100
    assert not pace.is_slow(now)
    for _ in range(10):
        pace.wait(now)
        pace.move(1, now + 9)
        now += 9
    assert pace.is_slow(now)


def test_who_lets_wait_for_a_whole_window_is_slow_however_much_it_moved() -> None:
    pace = Pace(100.0, 10.0)
    pace.wait(0.0)
    pace.move(1 << 30, 1.0)
    pace.wait(2.0)
    assert not pace.is_slow(11.0)
    assert pace.is_slow(12.0)
