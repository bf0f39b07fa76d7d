"""One channel to one server, shared by everything in the process that speaks to it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import grpc
from fleetlog_core import limits
from fleetlog_proto.v1 import ingest_pb2_grpc, position_pb2, query_pb2_grpc

from fleetlog.errors import Unavailable, from_call
from fleetlog.traces import trace_metadata

DEFAULT_TARGET = "localhost:7460"
FORK_SECONDS = 1.0
"""A fork waits so long for calls to end, usually a few milliseconds; it happens anyway then."""
QUIET_SECONDS = 0.005
"""How long gRPC's own threads may still have to do with calls that ended, or with a connection that is being made.

Nobody is told of that. A fork amid it prepares nothing and says so on stderr: one in 600 did, and none of 3,000 behind
such a pause.
"""
RETRY_PAUSES = (0.05, 0.3)
"""Seconds: a server that closed its end, or that is just replaced. One that is absent is told of soon."""
_OPTIONS = (
    ("grpc.max_receive_message_length", limits.RESPONSE_BYTES),
    ("grpc.max_send_message_length", limits.MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
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
Covariant = TypeVar("Covariant", covariant=True)


class Stream(Protocol[Covariant]):
    """A call under way that answers in a stream."""

    def __iter__(self) -> Iterator[Covariant]: ...
    def cancel(self) -> bool:
        """End it."""
        ...

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call it when this has ended; False when it has already."""
        ...


def resolve_target(target: str | None) -> str:
    """The server's address: the one given, $FLEETLOG_TARGET, or localhost:7460."""
    return target or os.environ.get("FLEETLOG_TARGET") or DEFAULT_TARGET


def resolve_namespace(namespace: str | None) -> str:
    """The namespace given, $FLEETLOG_NAMESPACE, or "default"."""
    return namespace or os.environ.get("FLEETLOG_NAMESPACE") or "default"


class Connection:
    """A channel with its stubs, and the position of everything this process wrote through it."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._lock = threading.Lock()
        self._calls = threading.Condition()
        self._under_way = 0
        self._streams: list[Stream[object]] = []
        self._paused = False
        self._streams_paused = False
        self.renew()
        self.offsets: dict[tuple[str, int], int] = {}
        """Next offset by topic and partition: everything of this process before it is durable."""
        self.uploads: dict[bytes, str] = {}
        """Tokens of uploads that were begun and not completed, by their headers."""

    def renew(self) -> None:
        """Dial anew for every call from now on; those under way end on the channel that they began on."""
        # A pool of its own: channels of one process share their connections otherwise, the dead one too.
        self._channel = grpc.insecure_channel(self.target, options=(*_OPTIONS, ("grpc.use_local_subchannel_pool", 1)))
        self.ingest = ingest_pb2_grpc.IngestServiceStub(self._channel)
        self.query = query_pb2_grpc.QueryServiceStub(self._channel)

    def call(
        self,
        method: Callable[..., Response],
        request: Request,
        timeout_seconds: float = 30.0,
    ) -> Response:
        """One unary call, again when the connection was lost amid it; failures as errors of this package.

        Doing it again is safe: a call reads, or has a request_id.
        """
        for pause in RETRY_PAUSES:
            try:
                with self.calling():
                    return method(request, timeout=timeout_seconds, metadata=trace_metadata())
            except Unavailable:
                time.sleep(pause)
        with self.calling():
            return method(request, timeout=timeout_seconds, metadata=trace_metadata())

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A call is under way: a fork waits for it. Failures are raised as errors of this package."""
        with self._calls:
            self._calls.wait_for(lambda: not self._paused, FORK_SECONDS)
            self._under_way += 1
        try:
            yield
        except grpc.RpcError as error:
            raise from_call(error, self.target) from None
        finally:
            with self._calls:
                self._under_way -= 1
                self._calls.notify_all()

    @contextmanager
    def streaming(self, start: Callable[[], Stream[Response]]) -> Iterator[Stream[Response]]:
        """A call that may answer for hours: a fork ends it, CANCELLED, and waits until it has ended."""
        with self._calls:
            self._calls.wait_for(lambda: not self._streams_paused, FORK_SECONDS)
            stream = start()
            self._streams.append(stream)
        if not stream.add_callback(lambda: self._ended(stream)):
            self._ended(stream)
        try:
            yield stream
        finally:
            stream.cancel()

    def _ended(self, stream: Stream[object]) -> None:
        with self._calls:
            self._streams.remove(stream)
            self._calls.notify_all()

    def end_streams(self) -> None:
        """Let no stream go on, and none begin until `resume`."""
        with self._calls:
            self._streams_paused = True
            streams = list(self._streams)
        for stream in streams:
            stream.cancel()

    def pause(self, timeout_seconds: float) -> bool:
        """Let no call begin until `resume`: whether those under way ended in time. Streams are told to end."""
        self.end_streams()
        with self._calls:
            self._paused = True
            return self._calls.wait_for(lambda: not self._under_way and not self._streams, timeout_seconds)

    def resume(self) -> None:
        """Go on after `pause`."""
        with self._calls:
            self._paused = self._streams_paused = False
            self._calls.notify_all()

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
        self._channel.close()


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


def _pause() -> None:
    """Before a fork: gRPC prepares itself only when none of its calls is under way; else the child's would hang."""
    deadline = time.monotonic() + FORK_SECONDS
    for connection in list(_connections.values()):
        connection.pause(max(0.0, deadline - time.monotonic()))
    if _connections:
        time.sleep(QUIET_SECONDS)


def _resume() -> None:
    for connection in list(_connections.values()):
        connection.resume()


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
