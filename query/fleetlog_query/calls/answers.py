"""Answers of many messages: made one ahead of what the client takes, within a bound of memory for all of them together.

A stream waits for room before it reads anything. Once begun it never waits for another one, so what it holds is given
back as fast as its client reads; a client that does not read loses its stream when others wait for the room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import TypeVar

from fleetlog_core.serving.budget import Bounds, Budget, Share
from fleetlog_core.serving.calls import Context, client_of
from fleetlog_core.serving.memory import FreedMemory
from fleetlog_core.serving.telemetry import Telemetry
from google.protobuf.message import Message

from fleetlog_query.stream.ahead import ahead
from fleetlog_query.warehouse.holding import Holding

RESERVED_BYTES = 32 * 1024 * 1024
"""Bytes that a stream may take before it is known how much it takes."""
ANSWER_BYTES = 512 * 1024 * 1024
"""Bytes that streams hold together: large ones some tens of megabytes each."""
CLIENT_ANSWER_BYTES = 256 * 1024 * 1024

Item = TypeVar("Item")
Response = TypeVar("Response", bound=Message)


class Answers:
    """The streams of one process. For one event loop."""

    def __init__(
        self, telemetry: Telemetry, process_bytes: int = ANSWER_BYTES, client_bytes: int = CLIENT_ANSWER_BYTES
    ) -> None:
        """Bytes that all streams of the process may hold, and those of one caller."""
        bounds = Bounds(
            process_bytes,
            client_bytes,
            "TOO_MANY_ANSWERS",
            "READER_TOO_SLOW",
            "bytes of answers that are being read",
            reserve=process_bytes // 4,
        )
        self._budget = Budget(bounds, lambda reason: telemetry.limited.labels(reason).inc())
        telemetry.answer_bytes.set_function(lambda: self._budget.held)
        self._freed = FreedMemory()

    async def sent(
        self,
        context: Context,
        begin: Callable[[Holding], Iterator[Item]],
        next_of: Callable[[Iterator[Item]], Awaitable[Item | None]],
        message: Callable[[Item], Response],
        reserved_bytes: int = RESERVED_BYTES,
    ) -> AsyncIterator[Response]:
        """Send all that the iterator makes. Yields nothing: what is yielded could not be ended while nobody takes it.

        ResourceExhausted TOO_MANY_ANSWERS, READER_TOO_SLOW; what `next_of` raises.
        """
        holding = Holding()
        share = await self._budget.enter(client_of(context), reserved_bytes, context.time_remaining())
        most, writing = 0, None
        try:
            async with aclosing(ahead(begin(holding), next_of)) as items:
                async for item in items:
                    response = message(item)
                    del item
                    size = response.ByteSize()
                    # One that is sent, and one that is made meanwhile.
                    self._budget.hold(share, holding.bytes + 2 * size)
                    most = max(most, share.held)
                    writing = asyncio.ensure_future(context.write(response))
                    del response
                    await self._taken(share, writing, size)
        finally:
            if writing is not None and not writing.done():
                # gRPC keeps the message until the client takes it, or goes.
                self._budget.hold(share, size)
                writing.add_done_callback(lambda written: self._left(share, written))
            else:
                self._budget.leave(share)
            self._freed.freed(most)
        # Makes this an iterator, as the handlers are.
        nothing: tuple[Response, ...] = ()
        for response in nothing:
            yield response

    async def _taken(self, share: Share, writing: asyncio.Future[None], size: int) -> None:
        """Wait until the client took the message, or must go."""
        share.pace.wait(time.monotonic())
        ended = asyncio.ensure_future(share.ended.wait())
        try:
            await asyncio.wait((writing, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        if not writing.done():
            raise self._budget.too_slow()
        share.pace.move(size, time.monotonic())
        await writing

    def _left(self, share: Share, written: asyncio.Future[None]) -> None:
        if not written.cancelled():
            # That it failed: the client is gone.
            written.exception()
        self._budget.leave(share)
