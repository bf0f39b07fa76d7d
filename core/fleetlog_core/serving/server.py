"""A gRPC server with health, reflection, limits and a bounded drain. Loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from fleetlog_core import keepalive, limits
from fleetlog_core.auth.permissions import rules_of
from fleetlog_core.serving.authorization import AuthorizationInterceptor
from fleetlog_core.serving.errors import ErrorInterceptor
from fleetlog_core.serving.floods import Floods
from fleetlog_core.serving.pipeline import Pipeline
from fleetlog_core.serving.rate_limits import LimitsInterceptor
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.tls import Certificates, TlsFiles

_OPTIONS = (
    ("grpc.max_receive_message_length", limits.MESSAGE_BYTES),
    ("grpc.max_send_message_length", limits.RESPONSE_BYTES),
    # Of one connection. gRPC turns everybody's calls away once some thousands wait to be looked at, and a peer that
    # begins and resets calls as fast as it can has as many waiting as it may have streams.
    ("grpc.max_concurrent_streams", 256),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.so_reuseport", 0),
    *keepalive.SERVER,
)
AGED_MILLIS = 60_000


class PortTaken(Exception):
    """The address can't be bound."""


def joined(host: str, port: int) -> str:
    """host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class GrpcServer:
    """One listening address and the services behind it."""

    def __init__(
        self,
        host: str,
        port: int,
        telemetry: Telemetry | None = None,
        *,
        connection_age_seconds: float = 0.0,
        tls: TlsFiles | None = None,
        authorization: AuthorizationInterceptor | None = None,
        limits: LimitsInterceptor | None = None,
        local: Path | None = None,
    ) -> None:
        """`connection_age_seconds`: clients are asked to connect anew after about so long; 0 = never. `tls`: None =
        without TLS. `authorization`: None = nobody is asked who they are. `limits`: None = there are none. `local`: a
        socket for what runs on this machine, without TLS, in a folder that nobody else may enter; None = there is none.
        """
        self._local = local
        self._host, self._port = host, port
        self._tls = tls
        options = (*_OPTIONS, *_aging(connection_age_seconds))
        self._authorization, self._limits = authorization, limits
        telemetry = telemetry or Telemetry()
        errors, self._floods = ErrorInterceptor(telemetry), Floods(telemetry)
        pipeline = Pipeline(errors, authorization, self._floods)
        interceptors: tuple[grpc.aio.ServerInterceptor, ...] = (pipeline, errors)
        if authorization is not None:
            interceptors = (*interceptors, authorization)
        if limits is not None:
            # Behind who calls, which it is by.
            interceptors = (*interceptors, limits)
        self._server = grpc.aio.server(interceptors=interceptors, options=options)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [health.SERVICE_NAME, reflection.SERVICE_NAME]

    def add(self, register: Callable[[grpc.aio.Server], None], service_full_name: str) -> None:
        """Add a service before `start`."""
        register(self._server)
        self._names.append(service_full_name)

    async def start(self) -> int:
        """Listen; the port that was bound. PortTaken, TlsRefused; MethodUnsaid for a call without a permission."""
        rules = rules_of(self._names)
        if self._authorization is not None:
            self._authorization.put_rules(rules)
        if self._limits is not None:
            self._limits.put_rules(rules)
        reflection.enable_server_reflection(self._names, self._server)
        check_address(self._host, self._port)
        try:
            port = self._add_port(joined(self._host, self._port))
        except RuntimeError as error:
            raise _taken(self._host, self._port) from error
        if port == 0:
            raise _taken(self._host, self._port)
        if self._local is not None:
            self._server.add_insecure_port(f"unix:{self._local}")
        await self._server.start()
        self._floods.start(port)
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    def _add_port(self, address: str) -> int:
        if self._tls is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, Certificates(self._tls).credentials())

    async def tell(self, service_full_name: str, *, serving: bool) -> None:
        """Whether the service can do its job, for those who ask the health service. A drain is the last word."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set(service_full_name, status)

    async def drain(self, grace_seconds: float) -> None:
        """Say NOT_SERVING, let calls end for `grace_seconds`, then end them."""
        await self._health.enter_graceful_shutdown()
        self._floods.stop()
        # stop() may outlast its grace when a stream's peer is gone; nothing of ours waits on it any longer then.
        try:
            await asyncio.wait_for(self._server.stop(grace_seconds), grace_seconds + 5)
        except TimeoutError:
            return


def _aging(seconds: float) -> tuple[tuple[str, int], ...]:
    """Calls that are under way when a connection is too old have as long again, a minute at most."""
    if seconds <= 0:
        return ()
    millis = int(seconds * 1000)
    return (
        ("grpc.max_connection_age_ms", millis),
        ("grpc.max_connection_age_grace_ms", min(millis, AGED_MILLIS)),
    )


def check_address(host: str, port: int, option: str = "--port") -> int:
    """The family of an address that can be listened on. PortTaken with the reason, and the option that mends it.

    gRPC gives no reason, and prints lines of its own when it can't bind.
    """
    if not 0 <= port <= 0xFFFF:
        raise PortTaken(f"port {port} is not 0 to 65535: give another {option}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As gRPC does: connections of a server that was there before are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise PortTaken(f"{host} is no address of this machine: give another --host") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _taken(host, port, option) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise PortTaken(f"{host} is no address of this machine: give another --host") from error
        raise PortTaken(f"{joined(host, port)} can't be used: {error.strerror}: give another {option}") from error
    return family


def _taken(host: str, port: int, option: str = "--port") -> PortTaken:
    return PortTaken(f"{joined(host, port)} is taken: give another {option}, or stop what listens there")
