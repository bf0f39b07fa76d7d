from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from fleetlog_query.stream.ahead import ahead, together


async def next_of(items: Iterator[int]) -> int | None:
    return await asyncio.to_thread(next, items, None)


def test_no_more_than_one_item_is_made_beyond_what_was_taken() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    async def scenario() -> None:
        taken = 0
        async for number in ahead(items(), next_of):
            assert number == taken
            taken += 1
            # Whatever is under way gets every chance to run on.
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert len(made) <= taken + 1
        assert taken == 10

    asyncio.run(scenario())


def test_an_error_comes_behind_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    async def scenario() -> None:
        numbers = ahead(items(), next_of)
        assert await anext(numbers) == 1
        with pytest.raises(ValueError, match="no more"):
            await anext(numbers)

    asyncio.run(scenario())


def test_who_leaves_ends_the_work() -> None:
    async def scenario() -> None:
        begun, cancelled = asyncio.Event(), asyncio.Event()

        async def never(items: Iterator[int]) -> int | None:
            if next(items) == 0:
                return 0
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return None

        left = ahead(iter(range(3)), never)
        assert await anext(left) == 0
        await begun.wait()
        await left.aclose()
        async with asyncio.timeout(30):
            await cancelled.wait()

    asyncio.run(scenario())


def test_small_items_travel_together_and_a_large_one_alone() -> None:
    sizes = [1, 1, 1, 5, 9, 2, 2]
    assert list(together(iter(sizes), int, 4)) == [[1, 1, 1, 5], [9], [2, 2]]
    assert list(together(iter([]), int, 4)) == []
    made: list[int] = []

    def items() -> Iterator[int]:
        for size in sizes:
            made.append(size)
            yield size

    next(together(items(), int, 4))
    assert made == [1, 1, 1, 5]
