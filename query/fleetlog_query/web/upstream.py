"""The gRPC servers behind the address: calls go to them as bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping

import grpc
from fleetlog_core import keepalive, limits

from fleetlog_query.web.methods import Method

TLS = "fleetlogs://"
FORWARDED = ("authorization", "traceparent", "tracestate")
"""Headers that become metadata of the call, under the same names."""
UNARY_SECONDS = 60.0
STREAM_SECONDS = 600.0
"""Deadlines of calls whose caller says none."""
Metadata = tuple[tuple[str, str], ...]
Call = grpc.aio.UnaryStreamCall[bytes, bytes] | grpc.aio.StreamStreamCall[bytes, bytes]
_OPTIONS = (
    ("grpc.max_receive_message_length", limits.RESPONSE_BYTES),
    ("grpc.max_send_message_length", limits.MESSAGE_BYTES),
    *keepalive.CLIENT,
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    # A pool of its own: no other channel of the process shares its connections, the dead ones among them.
    ("grpc.use_local_subchannel_pool", 1),
)


class Upstream:
    """Connections to a query service and to a gateway, which may be one server. Used from one event loop."""

    def __init__(self, query: str, ingest: str, trusted: bytes | None = None) -> None:
        """Targets, host:port or fleetlogs://host:port each. Nothing is dialled before the first call.

        `trusted`: certificates in PEM that those of servers with TLS are of; None = what the system trusts.
        """
        self._channels = {target: _channel(target, trusted) for target in {query, ingest}}
        self._query, self._ingest = self._channels[query], self._channels[ingest]

    async def unary(self, method: Method, request: bytes, seconds: float | None, metadata: Metadata) -> bytes:
        """The answer of a call that takes one message and answers with one. AioRpcError."""
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel(method).unary_unary(method.path)
        return await call(request, timeout=seconds or UNARY_SECONDS, metadata=metadata)

    async def stream(
        self, method: Method, requests: Iterable[bytes], seconds: float | None, metadata: Metadata
    ) -> AsyncGenerator[bytes, None]:
        """The answers of any call, as they are taken; closed before its end, it cancels the call. AioRpcError."""
        channel, timeout = self._channel(method), seconds or STREAM_SECONDS
        if method.streams_requests:
            if not method.streams_responses:
                unary: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(method.path)
                yield await unary(iter(requests), timeout=timeout, metadata=metadata)
                return
            many: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method.path)
            call: Call = many(iter(requests), timeout=timeout, metadata=metadata)
        else:
            (request,) = requests
            one: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method.path)
            call = one(request, timeout=timeout, metadata=metadata)
        try:
            async for answer in call:
                yield answer
        finally:
            call.cancel()

    async def close(self) -> None:
        """End what is under way, and the connections."""
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, method: Method) -> grpc.aio.Channel:
        return self._query if method.is_read else self._ingest


def _channel(target: str, trusted: bytes | None) -> grpc.aio.Channel:
    if target.startswith(TLS):
        return grpc.aio.secure_channel(target.removeprefix(TLS), grpc.ssl_channel_credentials(trusted), _OPTIONS)
    return grpc.aio.insecure_channel(target, _OPTIONS)


def forwarded(headers: Mapping[str, str]) -> Metadata:
    """Metadata of the call, out of a request's headers."""
    return tuple((name, headers[name]) for name in FORWARDED if name in headers)
