from __future__ import annotations

import asyncio

from fleetlog_ingest.gateway.allowance import Allowance


async def _takers(sizes: list[int], most: int) -> list[int]:
    """What was out after each of them took, when one comes back whenever somebody waits."""
    allowance, out, found = Allowance(most), list[int](), list[int]()
    for size in sizes:
        waits = asyncio.ensure_future(allowance.wait())
        await asyncio.sleep(0)
        while not waits.done():
            allowance.give_back(out.pop(0))
            await asyncio.sleep(0)
        allowance.take(size)
        out.append(size)
        found.append(sum(out))
    return found


def test_small_ones_never_wait() -> None:
    assert asyncio.run(_takers([10] * 9, 100)) == [10, 20, 30, 40, 50, 60, 70, 80, 90]


def test_who_comes_when_enough_is_out_waits_until_some_came_back() -> None:
    assert asyncio.run(_takers([60, 60, 60, 60], 100)) == [60, 120, 120, 120]


def test_one_that_is_larger_than_all_that_may_be_out_goes_alone() -> None:
    assert asyncio.run(_takers([500, 500, 1], 100)) == [500, 500, 1]
