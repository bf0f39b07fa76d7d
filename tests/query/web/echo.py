"""A gRPC server that knows no message, with an HTTP port before it: what comes in goes out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from fleetlog_core.serving.tls import TlsFiles
from fleetlog_query.web.app import WebOptions
from fleetlog_query.web.methods import METHODS, Method
from fleetlog_query.web.port import WebPort

Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass
class Echo:
    """What the server saw, and what it does."""

    port: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Seconds that the last call had left."""
    holding: bool = False
    """True: calls wait until they are cancelled."""
    held: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    stop: Any = None
    """Call it with seconds of grace to end the HTTP port from any thread."""

    async def seen(self, context: Context) -> None:
        self.metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        self.seconds = context.time_remaining() or 0.0
        if self.holding:
            self.held.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, echo: Echo) -> None:
        self._echo = echo

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        method = METHODS.get(handler_call_details.method)
        return None if method is None else _handler(method, self._echo)


def _handler(method: Method, echo: Echo) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def one(request: bytes, context: Context) -> bytes:
        await echo.seen(context)
        return request

    async def many(request: bytes, context: Context) -> AsyncIterator[bytes]:
        await echo.seen(context)
        yield request
        yield b""
        yield request

    async def joined(requests: AsyncIterator[bytes], context: Context) -> bytes:
        return b"|".join([request async for request in requests])

    async def each(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    if method.streams_requests:
        if method.streams_responses:
            return grpc.stream_stream_rpc_method_handler(each)
        return grpc.stream_unary_rpc_method_handler(joined)
    if method.streams_responses:
        return grpc.unary_stream_rpc_method_handler(many)
    return grpc.unary_unary_rpc_method_handler(one)


@contextmanager
def echoing(tls: TlsFiles | None = None) -> Iterator[Echo]:
    """Both, in a thread of their own. `tls`: of the HTTP port."""
    echo, ready = Echo(), threading.Event()
    loop = asyncio.new_event_loop()
    web = WebPort("127.0.0.1", 0, WebOptions(), tls=tls)
    leave = asyncio.Event()

    async def serve() -> None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_Handlers(echo),))
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        echo.port = await web.start(target, target)
        ready.set()
        await leave.wait()
        await web.stop(0)
        await server.stop(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="echo")
    thread.start()
    assert ready.wait(120)
    echo.stop = lambda seconds: asyncio.run_coroutine_threadsafe(web.stop(seconds), loop).result(120)
    try:
        yield echo
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
        loop.close()
