"""A server on loopback whose handlers do what a test tells them, and a channel to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import ingest_pb2, metric_pb2, query_pb2
from google.protobuf.message import Message

INGEST, QUERY = "fleetlog.v1.IngestService", "fleetlog.v1.QueryService"
Behaviour = Callable[[], Awaitable[None]]


class Told:
    """One method of each shape. `behave` runs before each answer; streams answer once, behave, and answer again."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave

    def register(self, server: grpc.aio.Server) -> None:
        """These four methods alone, under the names of the services they are from."""
        query: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetRun": grpc.unary_unary_rpc_method_handler(self.get_run, query_pb2.GetRunRequest.FromString, _bytes),
            "ReadMetric": grpc.unary_stream_rpc_method_handler(
                self.read_metric, metric_pb2.ReadMetricRequest.FromString, _bytes
            ),
        }
        ingest: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "UploadArtifact": grpc.stream_unary_rpc_method_handler(
                self.upload, ingest_pb2.UploadArtifactRequest.FromString, _bytes
            ),
            "AppendEvents": grpc.stream_stream_rpc_method_handler(
                self.append, ingest_pb2.AppendEventsRequest.FromString, _bytes
            ),
        }
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(QUERY, query), grpc.method_handlers_generic_handler(INGEST, ingest))
        )

    async def get_run(self, request: query_pb2.GetRunRequest, context: Context) -> Message:
        await self._behave()
        return query_pb2.GetRunResponse()

    async def read_metric(self, request: metric_pb2.ReadMetricRequest, context: Context) -> AsyncIterator[Message]:
        yield metric_pb2.ReadMetricResponse()
        await self._behave()
        yield metric_pb2.ReadMetricResponse()

    async def upload(self, requests: AsyncIterator[ingest_pb2.UploadArtifactRequest], context: Context) -> Message:
        async for _ in requests:
            await self._behave()
        return ingest_pb2.UploadArtifactResponse()

    async def append(
        self, requests: AsyncIterator[ingest_pb2.AppendEventsRequest], context: Context
    ) -> AsyncIterator[Message]:
        async for _ in requests:
            yield ingest_pb2.AppendEventsResponse()
            await self._behave()


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


@dataclass(frozen=True)
class Served:
    """A server that runs, and a channel to it."""

    server: GrpcServer
    channel: grpc.aio.Channel
    port: int

    async def unary(self, data: bytes, method: str = f"/{QUERY}/GetRun", **options: object) -> bytes:
        """One call with bytes as they are."""
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(method)
        return await call(data, timeout=30, **options)  # type: ignore[arg-type]


async def nothing() -> None:
    """Behave well."""


@asynccontextmanager
async def served(behave: Behaviour = nothing, telemetry: Telemetry | None = None) -> AsyncIterator[Served]:
    server, told = GrpcServer("127.0.0.1", 0, telemetry), Told(behave)
    server.add(told.register, QUERY)
    server.add(lambda it: None, INGEST)
    port = await server.start()
    unlimited = (("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=unlimited) as channel:
        try:
            yield Served(server, channel, port)
        finally:
            await asyncio.shield(server.drain(0.0))
