"""A gRPC server with health, reflection, limits and a bounded drain. Loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from fleetlog_core import limits
from fleetlog_core.serving.errors import ErrorInterceptor
from fleetlog_core.serving.telemetry import Telemetry

diagnostics = logging.getLogger(__name__)
HARD_SECONDS = 5.0
"""After the grace, until a drain gives up waiting."""
_OPTIONS = (
    ("grpc.max_receive_message_length", limits.MESSAGE_BYTES),
    ("grpc.max_send_message_length", limits.MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 4096),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.so_reuseport", 0),
    # Clients ping every 30 s, and may every 10 s, to notice half-open connections; the default would close them.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 9_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


class PortTaken(Exception):
    """The address can't be bound."""


class GrpcServer:
    """One listening address and the services behind it."""

    def __init__(self, host: str, port: int, *, telemetry: Telemetry | None = None) -> None:
        self._host, self._port = host, port
        self._draining = asyncio.Event()
        interceptor = ErrorInterceptor(self._draining, telemetry or Telemetry())
        self._server = grpc.aio.server(interceptors=(interceptor,), options=_OPTIONS)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [health.SERVICE_NAME, reflection.SERVICE_NAME]

    def add(self, register: Callable[[grpc.aio.Server], None], service_full_name: str) -> None:
        """Add a service before `start`."""
        register(self._server)
        self._names.append(service_full_name)

    async def start(self) -> int:
        """Listen; the port that was bound. PortTaken."""
        reflection.enable_server_reflection(self._names, self._server)
        address = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
        taken = f"{address} is taken: give another --port, or stop what listens there"
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise PortTaken(taken) from error
        if port == 0:
            raise PortTaken(taken)
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def drain(self, grace_seconds: float) -> None:
        """Say NOT_SERVING, end streams once what they took is answered, let calls end for `grace_seconds`."""
        await self._health.enter_graceful_shutdown()
        self._draining.set()
        # stop() may outlast its grace when a stream's peer is gone; nothing of ours waits on it any longer then.
        try:
            await asyncio.wait_for(self._server.stop(grace_seconds), grace_seconds + HARD_SECONDS)
        except TimeoutError:
            diagnostics.warning("calls were still open %s s after the drain began", grace_seconds + HARD_SECONDS)
