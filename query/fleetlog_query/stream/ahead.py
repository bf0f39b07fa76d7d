"""Blocking work of a stream, from an event loop: one item is made while the one before is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


async def ahead(
    items: Iterator[Item], next_of: Callable[[Iterator[Item]], Awaitable[Item | None]]
) -> AsyncGenerator[Item, None]:
    """The items, never more than one beyond what was taken. `next_of` takes the next in a thread, None at the end."""
    making = asyncio.ensure_future(next_of(items))
    try:
        while (item := await making) is not None:
            making = asyncio.ensure_future(next_of(items))
            yield item
    finally:
        # What nobody takes any more need not be read to its end.
        making.cancel()
        making.add_done_callback(_seen)


def together(items: Iterator[Item], size_of: Callable[[Item], int], most: int) -> Iterator[list[Item]]:
    """The items in lists, which are ended when they have a size of `most` or more: to hand over small ones costs more
    than to make them."""
    some: list[Item] = []
    size = 0
    for item in items:
        some.append(item)
        size += size_of(item)
        if size >= most:
            yield some
            some, size = [], 0
    if some:
        yield some


def _seen(made: asyncio.Future[Item | None]) -> None:
    if not made.cancelled():
        made.exception()
