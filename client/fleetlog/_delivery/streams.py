"""The streams of a delivery, one after the other: begun, read until they end, broken when they are silent, begun again.

Each first sends again what is in flight, in order. Used by the delivery thread, but for what says otherwise.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

import grpc
from fleetlog_proto.v1 import ingest_pb2

from fleetlog._delivery.heartbeats import Heartbeats
from fleetlog._delivery.in_flight import InFlight
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.requests import Requests
from fleetlog._delivery.responses import NotNow, Responses
from fleetlog._delivery.stream_state import Change, State, StreamState
from fleetlog._transport.calls_in_progress import Stream
from fleetlog._transport.connection import Connection
from fleetlog.errors import FleetlogError, from_call

_jitter = random.Random()  # noqa: S311
"""Not the module's own numbers: a training that is seeded has to get the same ones on every day."""

MAX_PAUSE_SECONDS = 60.0
"""The longest that a server may ask us to wait."""
SLOW_BYTES_PER_SECOND = 25_000
"""A link as slow as this is no silence: a large frame has that much longer for its answer."""
BEGIN_SECONDS = 1.0
"""Longest wait for a first stream, on a Python that begins none later."""


class Streams:
    """Streams of one delivery. `changed` is held where the state, or what is in flight, changes."""

    def __init__(
        self, connection: Connection, outbox: Outbox, in_flight: InFlight, state: StreamState,
        changed: threading.Condition, requests: Requests, responses: Responses, heartbeats: Heartbeats,
        warn: Callable[[str, str], None], backoff_seconds: tuple[float, float],
    ) -> None:  # fmt: skip
        self._connection = connection
        self._outbox = outbox
        self._in_flight = in_flight
        self._state = state
        self._changed = changed
        self._requests = requests
        self._responses = responses
        self._heartbeats = heartbeats
        self._warn = warn
        self._backoff_seconds = backoff_seconds
        self._call: Stream[ingest_pb2.AppendEventsResponse] | None = None
        self._reading = False
        """Whether the delivery thread is in gRPC, or was when an exception came."""

    def run(self) -> None:
        """Deliver until it is closed. Whatever else ends it, the stream that there was is let go of."""
        try:
            self._deliver()
        except BaseException:
            self._change(Change.ENDED)
            call, self._call = self._call, None
            self._let_go(call)
            raise

    def wait_for_first(self) -> None:
        """A process may end with the next line: what has no stream by then, of which gRPC makes threads, gets none.

        From any thread.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._call is not None or self._state.closed, BEGIN_SECONDS)

    def pause(self, timeout_seconds: float) -> bool:
        """End the stream for a while: whether the delivery thread is through with it. From any thread."""
        self._end(Change.PAUSE)
        with self._changed:
            return self._changed.wait_for(lambda: self._state.state is not State.ENDING, timeout_seconds)

    def resume(self) -> None:
        """Go on after `pause`. From any thread."""
        self._change(Change.RESUME)

    def close(self) -> None:
        """End the stream, and begin none. From any thread."""
        self._end(Change.CLOSE)

    def break_silent(self, silence_seconds: float) -> None:
        """Break a stream that owes answers and gives none: a connection can look alive with nobody behind it.

        From any thread.
        """
        with self._changed:
            patience = silence_seconds + self._in_flight.owed_bytes() / SLOW_BYTES_PER_SECOND
            silent = self._in_flight.silent_seconds() > patience
            call = self._call
        if silent and call is not None:
            self._connection.renew()
            call.cancel()

    def _change(self, change: Change) -> None:
        with self._changed:
            self._state.change(change)
            self._changed.notify_all()

    def _end(self, change: Change) -> None:
        self._change(change)
        call = self._call
        self._outbox.wake()
        if call is not None:
            call.cancel()

    def _deliver(self) -> None:
        attempt = 0
        while True:
            pause = 0.0
            stream: Stream[ingest_pb2.AppendEventsResponse] | None = None
            try:
                with self._changed:
                    self._changed.wait_for(lambda: self._state.closed or self._state.may_begin)
                    if self._state.closed:
                        return
                    generation = self._state.change(Change.BEGIN)
                    self._in_flight.begin()
                    self._heartbeats.stream_began()
                    self._reading = True
                    stream = self._call = self._begin(generation)
                    self._changed.notify_all()
                responses = iter(stream)
                while (response := self._next(responses)) is not None:
                    self._responses.answered(response)
                    attempt = 0
            except grpc.RpcError as error:
                pause = self._broken(from_call(error, self._connection.target))
            except NotNow as later:
                self._let_go(stream)
                pause = self._broken(later.error)
            except Exception as error:  # whatever it is: nothing was forgotten that has no answer, so go on
                self._warn("delivery", f"not delivered yet, trying again: {error!r}")
                self._let_go(stream)
            self._change(Change.ENDED)
            self._outbox.wake()
            low, high = self._backoff_seconds
            delay = min(high, low * 2**attempt) * _jitter.uniform(0.5, 1.0)
            attempt = min(attempt + 1, 10)
            until = time.monotonic() + max(delay, min(pause, MAX_PAUSE_SECONDS))
            with self._changed:
                if self._state.paused:
                    # Nothing is wrong: it goes on as soon as it may.
                    attempt = 0
                    continue
                while not self._state.closed and (remaining := until - time.monotonic()) > 0:
                    self._changed.wait(remaining)

    def _next(self, responses: Iterator[ingest_pb2.AppendEventsResponse]) -> ingest_pb2.AppendEventsResponse | None:
        self._reading = True
        try:
            response = next(responses, None)
        except grpc.RpcError:
            self._reading = False
            raise
        self._reading = False
        return response

    def _let_go(self, stream: Stream[ingest_pb2.AppendEventsResponse] | None) -> None:
        """End a stream. One that an exception came amid is not touched: gRPC may hold its lock for ever."""
        if self._reading:
            self._reading = False
            self._connection.abandon(stream)
        elif stream is not None:
            stream.cancel()

    def _begin(self, generation: int) -> Stream[ingest_pb2.AppendEventsResponse]:
        requests = self._requests.of(generation)
        return self._connection.under_way.begin(lambda: self._connection.ingest.AppendEvents(requests))

    def _broken(self, error: FleetlogError) -> float:
        """A stream ended by an error. How long the server asks us to wait, in seconds."""
        if self._state.closed or self._state.paused:
            return 0.0
        if error.code == "UNAVAILABLE":
            self._connection.renew_if_certificates_changed()
        self._responses.stream_ended(error)
        if self._outbox.points or self._in_flight:
            self._warn("stream", f"not delivered yet, trying again: {error.message}")
        return error.retry_after_seconds or 0.0
