"""One channel to one server, shared by everything in the process that speaks to it."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc
from fleetlog_core import keepalive, limits
from fleetlog_proto.v1 import (
    document_pb2_grpc,
    ingest_pb2_grpc,
    logged_model_pb2_grpc,
    position_pb2,
    query_pb2_grpc,
    registry_pb2_grpc,
    token_pb2_grpc,
    webhook_pb2_grpc,
)

from fleetlog._transport.calls_in_progress import PAUSE_SECONDS, Stream, UnderWay
from fleetlog._transport.channel import RenewedChannel
from fleetlog._transport.targets import dialed, namespace_of, resolve_target, uses_tls
from fleetlog._transport.tls import ClientTls, speaks_tls
from fleetlog._transport.tokens import TokenSource
from fleetlog._transport.traces import trace_metadata
from fleetlog.errors import SERVER_UNAVAILABLE, TLS_SCHEME, Unavailable, from_call

QUIET_SECONDS = 0.005
"""How long gRPC's own threads may still have to do with calls that ended, or with a connection that is being made.

Nobody is told of that. A fork amid it prepares nothing and says so on stderr: one in 600 did, and none of 3,000 behind
such a pause.
"""
RETRY_PAUSES = (0.05, 0.3)
"""Seconds: a server that closed its end, or that is just replaced. One that is absent is told of soon."""
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", limits.RESPONSE_BYTES),
    ("grpc.max_send_message_length", limits.MESSAGE_BYTES),
    *keepalive.CLIENT,
    # Also how long a connection may take to be made, or the peer to say its first word; the default is 20 s.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    ("grpc.enable_http_proxy", 0),
    # A stream that fails while its connection is being made may never end when gRPC's own retries are on (seen with
    # 1.85: about one start in fifty against a server that was just restarting). Retrying is done in delivery.py.
    ("grpc.enable_retries", 0),
)
Request = TypeVar("Request")
Response = TypeVar("Response")


def resolve_namespace(namespace: str | None, target: str | None = None) -> str:
    """The namespace given, that of the target, $FLEETLOG_NAMESPACE, or "default"."""
    return namespace or namespace_of(target) or os.environ.get("FLEETLOG_NAMESPACE") or "default"


class Connection:
    """A channel with its stubs, and the position of everything this process wrote through it."""

    def __init__(self, target: str) -> None:
        """`target`: as `resolve_target` gives it. InvalidArgument TLS_FILE, TOKEN_INVALID; FailedPrecondition
        TOKEN_NEEDS_TLS."""
        self.target = target
        self._tls = ClientTls() if uses_tls(target) else None
        self._lock = threading.Lock()
        self.under_way = UnderWay()
        self._abandoned: list[grpc.Channel] = []
        channel = self._renewed = RenewedChannel(TokenSource(target).metadata)
        self.renew()
        self.ingest = ingest_pb2_grpc.IngestServiceStub(channel)
        self.query = query_pb2_grpc.QueryServiceStub(channel)
        self.models = logged_model_pb2_grpc.LoggedModelServiceStub(channel)
        self.models_query = logged_model_pb2_grpc.LoggedModelQueryServiceStub(channel)
        self.registry = registry_pb2_grpc.RegistryServiceStub(channel)
        self.registry_query = registry_pb2_grpc.RegistryQueryServiceStub(channel)
        self.documents = document_pb2_grpc.DocumentServiceStub(channel)
        self.documents_query = document_pb2_grpc.DocumentQueryServiceStub(channel)
        self.webhooks = webhook_pb2_grpc.WebhookServiceStub(channel)
        self.auth = token_pb2_grpc.AuthServiceStub(channel)
        self.offsets: dict[tuple[str, int], int] = {}
        """Next offset by topic and partition: everything of this process before it is durable."""
        self.web_url = ""
        """Address of the server's web UI, once it was asked for and there is one."""
        self.uploads: dict[bytes, str] = {}
        """Tokens of uploads that were begun and not completed, by their headers."""

    def renew(self) -> None:
        """Dial anew for every call from now on; those under way end on the channel that they began on."""
        # A pool of its own: channels of one process share their connections otherwise, the dead one too.
        options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        address = dialed(self.target)
        if self._tls is None:
            channel = grpc.insecure_channel(address, options=options)
        else:
            channel = grpc.secure_channel(address, self._tls.credentials(), options=options)
        self._renewed.put(channel)

    def renew_if_certificates_changed(self) -> None:
        """Dial anew when certificates were replaced: to be asked when no server answers."""
        if self._tls is not None and self._tls.is_changed:
            self.renew()

    def abandon(self, stream: Stream[Response] | None) -> None:
        """Dial anew, after an exception amid a stream, or amid a call (None), that is none of gRPC's.

        It may have come where gRPC holds a lock: then nothing on this channel is ever answered again, nor is it closed.
        """
        if stream is not None:
            self.under_way.forget(stream)
        if self._renewed.current is not None:
            self._abandoned.append(self._renewed.current)
        self.renew()

    def call(
        self,
        method: Callable[..., Response],
        request: Request,
        timeout_seconds: float = 30.0,
    ) -> Response:
        """Response of one unary call, as `retried`."""
        return self.retried(lambda: method(request, timeout=timeout_seconds, metadata=trace_metadata()))

    def retried(self, call: Callable[[], Response]) -> Response:
        """Response of a call, which is made again when its connection was lost; failures as errors of this package.

        Doing it again is safe: it reads, or has a request_id.
        """
        telling: Unavailable | None = None
        for pause in RETRY_PAUSES:
            try:
                with self.calling():
                    return call()
            except Unavailable as error:
                # A name may have two addresses, at one of which nobody is: which of them is told of is chance.
                telling = telling if _says_nothing(error) else error
                self.renew_if_certificates_changed()
                time.sleep(pause)
        try:
            with self.calling():
                return call()
        except Unavailable as error:
            if error.code == "UNAVAILABLE" and not error.domain and self._tls is None and speaks_tls(self.target):
                raise Unavailable("TLS_WANTED", f"{self.target} speaks TLS: give {TLS_SCHEME}{self.target}") from None
            if _says_nothing(error) and telling is not None:
                raise telling from None
            raise

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A call is under way: a fork waits for it. Failures are raised as errors of this package."""
        with self.under_way.calling():
            try:
                yield
            except grpc.RpcError as error:
                raise from_call(error, self.target) from None

    def saw(self, position: position_pb2.Position) -> None:
        """Remember what is durable; reads wait for it."""
        with self._lock:
            for entry in position.offsets:
                key = (entry.topic, entry.partition)
                self.offsets[key] = max(self.offsets.get(key, 0), entry.next_offset)

    def position(self) -> position_pb2.Position:
        """Everything that this process made durable."""
        with self._lock:
            return position_pb2.Position(
                offsets=[
                    position_pb2.PartitionOffset(topic=topic, partition=partition, next_offset=offset)
                    for (topic, partition), offset in self.offsets.items()
                ]
            )

    def close(self) -> None:
        """Close the channel."""
        self._renewed.close()


def _says_nothing(error: Unavailable) -> bool:
    """True if it tells no more than that nobody answers."""
    return error.reason == SERVER_UNAVAILABLE and not error.metadata


_connections: dict[str, Connection] = {}
_left: list[Connection] = []
"""The parent's, in a forked child: kept so that nothing of them is torn down there."""
_positions: dict[str, dict[tuple[str, int], int]] = {}
_lock = threading.Lock()


def connection_to(target: str | None) -> Connection:
    """The process's connection to a server."""
    address = resolve_target(target)
    with _lock:
        connection = _connections.get(address)
        if connection is None:
            connection = _connections[address] = Connection(address)
            connection.offsets.update(_positions.get(address, {}))
        return connection


def close_unused(target: str) -> None:
    """Close the connection to a server when nothing is under way on it. What was written is seen by the next one."""
    with _lock:
        connection = _connections.get(target)
        if connection is None or connection.under_way.busy:
            return
        del _connections[target]
        _positions[target] = dict(connection.offsets)
    # Not closed by hand: a call that another thread is about to make on it ends first, and then it goes by itself.


def _pause() -> None:
    """Before a fork: gRPC prepares itself only when none of its calls is under way; else the child's would hang."""
    deadline = time.monotonic() + PAUSE_SECONDS
    for connection in list(_connections.values()):
        connection.under_way.pause(max(0.0, deadline - time.monotonic()))
    if _connections:
        time.sleep(QUIET_SECONDS)


@atexit.register
def _leave() -> None:
    """At the process's end: Python ends gRPC's threads wherever they are then, with whatever they hold.

    A stream that is torn down after that may wait for it without end: one in ten of processes with an open watch did.
    """
    deadline = time.monotonic() + PAUSE_SECONDS
    for connection in list(_connections.values()):
        connection.under_way.end_streams(max(0.0, deadline - time.monotonic()))


def _resume() -> None:
    for connection in list(_connections.values()):
        connection.under_way.resume()


def _forget() -> None:
    """In a forked child: channels of the parent can't be used. What the parent wrote is seen by the child's reads."""
    global _lock
    _lock = threading.Lock()
    for address, connection in _connections.items():
        _positions[address] = dict(connection.offsets)
        _left.append(connection)
    _connections.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_resume, after_in_child=_forget)
