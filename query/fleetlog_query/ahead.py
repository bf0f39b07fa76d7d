"""Blocking work of a stream, from an event loop: one item is made while the one before is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


async def ahead(
    items: Iterator[Item], next_of: Callable[[Iterator[Item]], Awaitable[Item | None]]
) -> AsyncIterator[Item]:
    """The items, never more than one beyond what was taken. `next_of` takes the next in a thread, None at the end."""
    making = asyncio.ensure_future(next_of(items))
    try:
        while (item := await asyncio.shield(making)) is not None:
            making = asyncio.ensure_future(next_of(items))
            yield item
    finally:
        # A thread can't be told to stop: whoever waits here would wait for a read that nobody wants.
        making.add_done_callback(_seen)


def _seen(made: asyncio.Future[Item | None]) -> None:
    if not made.cancelled():
        made.exception()
