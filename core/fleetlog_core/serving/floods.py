"""Peers that begin calls and reset them at once, kept out: no new connection is taken from their addresses for a while.

Such calls wait in gRPC until they are looked at, one by one, with everybody's; when some thousand wait it drops
everybody's. Of a call that is reset its handler hears nothing, so some of them are served by one that does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from typing import Any
from urllib.parse import unquote

import grpc

from fleetlog_core.rates.resets import Resets
from fleetlog_core.serving.calls import Context
from fleetlog_core.serving.listener_filter import ListenerFilter
from fleetlog_core.serving.telemetry import Telemetry

diagnostics = logging.getLogger(__name__)
FIRST_SECONDS = 1.0
"""Seconds in which a first message is waited for: what comes to the call without one is left to its handler then."""
REASON = "RESET_FLOOD"
"""Under it `fleetlog_limited_total` counts addresses that were refused."""


def address_of(peer: str) -> str:
    """The IP address of a peer as gRPC has it, such as "ipv6:%5B::1%5D:80"; "" for a local socket."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return ""
    address = rest.rpartition(":")[0].strip("[]").partition("%")[0]
    return address.removeprefix("::ffff:") if "." in address else address


class Floods:
    """Looks at some of the calls while many come. For one event loop."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._resets = Resets()
        self._handlers: dict[Any, Any] = {}
        """Handlers that look, by those in whose place they are."""
        self._filter: ListenerFilter | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, port: int) -> None:
        """From now on addresses can be refused."""
        self._filter = ListenerFilter(port)

    def stop(self) -> None:
        """Before the port is to be free. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._filter is not None:
            self._filter.close()
            self._filter = None

    def looking(self, handler: Any) -> Any:
        """The handler for a call that begins: the one that is given, or one that looks, and then does the same."""
        if not self._resets.begin(_now()):
            return handler
        found = self._handlers.get(handler)
        if found is None:
            found = self._handlers[handler] = self._made(handler)
        return found

    def _made(self, handler: Any) -> Any:
        async def handle(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            coming: asyncio.Future[Any] = asyncio.ensure_future(anext(requests, None))
            coming.add_done_callback(_seen)
            try:
                await self._look(coming, context)
                async for response in _served(handler, coming, requests, context):
                    yield response
            finally:
                coming.cancel()

        codec = handler.request_deserializer, handler.response_serializer
        return grpc.stream_stream_rpc_method_handler(handle, *codec)

    async def _look(self, coming: asyncio.Future[Any], context: Context) -> None:
        was_reset = True
        try:
            await asyncio.wait({coming}, timeout=FIRST_SECONDS)
            was_reset = coming.done() and await coming is None
        finally:
            # One whose time ran out while it waited here is of no rude peer.
            left = context.time_remaining()
            self._end(context.peer(), was_reset and (left is None or left > 0))

    def _end(self, peer: str, was_reset: bool) -> None:
        address = address_of(peer)
        if address and self._resets.end(address, peer, was_reset, _now()):
            self._telemetry.limited.labels(REASON).inc()
            self._refuse(address)

    def _refuse(self, flooding: str = "") -> None:
        """Have the kernel refuse those that are refused now, and look again when the first of them is no more."""
        refused, now = self._resets.refused(_now()), _now()
        is_done = self._filter is not None and self._filter.drop(refused)
        if flooding and is_done:
            diagnostics.warning(
                "no new connections are taken from %s for %.0f s: it begins calls and resets them",
                flooding, refused[flooding] - now,
            )  # fmt: skip
        if self._timer is not None:
            self._timer.cancel()
        if refused:
            again = max(0.01, min(refused.values()) - now)
            self._timer = asyncio.get_running_loop().call_later(again, self._refuse)


async def _served(
    handler: Any, coming: Awaitable[Any], requests: AsyncIterator[Any], context: Context
) -> AsyncIterator[Any]:
    """What the handler answers, of whatever kind it is."""
    request = _chained(coming, requests) if handler.request_streaming else await coming
    if request is None:
        return
    if handler.response_streaming:
        async for response in (handler.stream_stream or handler.unary_stream)(request, context):
            yield response
    else:
        yield await (handler.stream_unary or handler.unary_unary)(request, context)


async def _chained(coming: Awaitable[Any], requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    first = await coming
    if first is not None:
        yield first
        async for request in requests:
            yield request


def _seen(coming: asyncio.Future[Any]) -> None:
    if not coming.cancelled():
        coming.exception()


def _now() -> float:
    return asyncio.get_running_loop().time()
