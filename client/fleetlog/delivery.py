"""Delivery: from the outbox over one stream into the log, until every frame has its answer.

    waiting     in the outbox
    in flight   framed and sent, or to be sent again; kept until its response
    durable     answered; forgotten
    set aside   refused; counted and warned about, forgotten

One thread owns the stream and reads its responses; gRPC pulls frames out of `_requests` in a thread of its own. When
the stream breaks, the next one first sends again what is in flight, in order.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
from fleetlog_core.errors import DeadlineExceeded
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, query_pb2

from fleetlog.connection import Connection, connection_to, resolve_target
from fleetlog.errors import FleetlogError, from_call, from_status
from fleetlog.framing import FRAME_POINTS, Framer
from fleetlog.outbox import Fact, Marker, Outbox, Writer
from fleetlog.turns import by_writer

diagnostics = logging.getLogger("fleetlog")

FRAMES_IN_FLIGHT = 32
FRAME_INTERVAL_SECONDS = 0.02
"""Under load frames are this far apart, so that they are large; a lone event goes at once."""
BACKOFF_SECONDS = (0.1, 5.0)
WARNING_SECONDS = 60.0
_RETRY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "RESOURCE_EXHAUSTED")


@dataclass
class _InFlight:
    request: ingest_pb2.AppendEventsRequest
    writer: Writer
    points: int
    markers: list[Marker] = field(default_factory=list)


class Delivery:
    """Everything of this process that goes to one server."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.outbox = Outbox()
        self._framer = Framer()
        self._in_flight: deque[_InFlight] = deque()
        self._changed = threading.Condition()
        self._generation = 0
        self._sent = 0
        """How many of those in flight the stream of this generation has sent."""
        self._framing = threading.Lock()
        self._experiments: dict[tuple[str, str], int] = {}
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._last_warning: dict[str, float] = {}
        self.refused_events = 0
        self.lost_points = 0

    def add(self, writer: Writer) -> None:
        """A writer's first event; everything else of it follows."""
        event = event_pb2.Event(observe_time_millis=time.time_ns() // 1_000_000, run_started=writer.started)
        self.outbox.put(Fact(writer, event))
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fleetlog-delivery", daemon=True)
                self._thread.start()

    def lost(self, writer: Writer, points: int) -> None:
        """Points that were not taken because the outbox is full."""
        writer.lost_points += points
        self.lost_points += points
        self.warn("full", f"the buffer is full: {self.lost_points:,} points were lost; is the server reachable?")

    def warn(self, kind: str, text: str) -> None:
        """A warning, each kind once a minute."""
        now = time.monotonic()
        if now - self._last_warning.get(kind, -WARNING_SECONDS) >= WARNING_SECONDS:
            self._last_warning[kind] = now
            diagnostics.warning(text)

    def resolve(self, namespace: str, name: str, timeout_seconds: float) -> int:
        """The number of an experiment, which is made when it is not there. FleetlogError."""
        known = self._experiments.get((namespace, name))
        if known is None:
            request = ingest_pb2.CreateExperimentRequest(namespace=namespace, name=name, exist_ok=True)
            response = self.connection.call(self.connection.ingest.CreateExperiment, request, timeout_seconds)
            self.connection.saw(response.position)
            known = self._experiments[(namespace, name)] = response.experiment.experiment_id
        return known

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is durable or set aside; False when the time ran out."""
        if self._thread is None:
            return True
        marker = Marker()
        self.outbox.put(marker)
        return marker.reached.wait(timeout_seconds)

    @property
    def pending_points(self) -> int:
        """Points that are not durable yet."""
        with self._changed:
            return self.outbox.points + sum(item.points for item in self._in_flight)

    def _run(self) -> None:
        """The delivery thread."""
        attempt = 0
        while True:
            with self._changed:
                self._generation += 1
                self._sent = 0
            try:
                stream = self.connection.ingest.AppendEvents(self._requests(self._generation))
                for response in stream:
                    attempt = 0
                    self._answered(response)
            except grpc.RpcError as error:
                if self.pending_points or self._in_flight:
                    known = from_call(error, self.connection.target)
                    self.warn("stream", f"not delivered yet, trying again: {known.message}")
            with self._changed:
                self._generation += 1
                self._changed.notify_all()
            self.outbox.wake()
            low, high = BACKOFF_SECONDS
            delay = min(high, low * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
            attempt = min(attempt + 1, 10)
            with self._changed:
                self._changed.wait(delay)

    def _requests(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """What the stream of a generation sends: all that is in flight, in order; it ends with its generation."""
        last = 0.0
        while True:
            with self._changed:
                if generation != self._generation:
                    return
                item = self._in_flight[self._sent] if self._sent < len(self._in_flight) else None
                if item is not None:
                    self._sent += 1
                elif len(self._in_flight) >= FRAMES_IN_FLIGHT:
                    self._changed.wait(1.0)
                    continue
                else:
                    pause = last + FRAME_INTERVAL_SECONDS - time.monotonic()
                    if pause > 0:
                        self._changed.wait(pause)
                        continue
            if item is not None:
                if not self._ready(item):
                    return
                yield item.request
                continue
            self.outbox.wait(1.0)
            if generation == self._generation and self._frame():
                last = time.monotonic()

    def _frame(self) -> bool:
        """Frame the oldest items; they are in flight from then on. False when there was none."""
        # A generation that ends and the one that follows must not take items side by side: order would be lost.
        with self._framing:
            items = self.outbox.take(FRAME_POINTS)
            for made in self._framer.frames(by_writer(items)):
                if isinstance(made, Marker):
                    self._mark(made)
                else:
                    self._keep(*made)
        return bool(items)

    def _keep(self, writer: Writer, frame: frame_pb2.Frame) -> None:
        points = sum(
            len(event.metrics_logged.step_deltas) * len(event.metrics_logged.columns) for event in frame.events
        )
        item = _InFlight(ingest_pb2.AppendEventsRequest(frame=frame), writer, points)
        with self._changed:
            self._in_flight.append(item)

    def _mark(self, marker: Marker) -> None:
        with self._changed:
            if self._in_flight:
                self._in_flight[-1].markers.append(marker)
            else:
                marker.reached.set()

    def _ready(self, item: _InFlight) -> bool:
        """Fill in the experiment's number of a writer's first frame; False when there is no server to ask."""
        event = item.request.frame.events[0]
        if not event.HasField("run_started"):
            return True
        writer = item.writer
        if writer.experiment_id is None:
            try:
                writer.experiment_id = self.resolve(writer.namespace, writer.experiment, 30.0)
            except FleetlogError as error:
                if error.code in _RETRY:
                    return False
                diagnostics.warning("run %s goes to Default: %s", writer.run_id.hex(), error.message)
                writer.experiment_id = 0
        event.run_started.experiment_id = writer.experiment_id
        return True

    def _answered(self, response: ingest_pb2.AppendEventsResponse) -> None:
        with self._changed:
            item = self._in_flight.popleft()
            self._sent -= 1
            self._changed.notify_all()
        for refusal in response.refusals:
            self.refused_events += 1
            error = from_status(refusal.status)
            self.warn(error.reason, f"an event was refused and recorded on the run: {error.message}")
        if response.HasField("status"):
            error = from_status(response.status)
            self.refused_events += len(item.request.frame.events)
            self.lost_points += item.points
            self.warn(error.reason, f"{item.points:,} points of run {item.writer.run_id.hex()} were refused: {error}")
        else:
            self.connection.saw(response.position)
        for marker in item.markers:
            marker.reached.set()


_deliveries: dict[str, Delivery] = {}
_lock = threading.Lock()


def delivery_to(target: str | None) -> Delivery:
    """The process's delivery to a server."""
    address = resolve_target(target)
    with _lock:
        delivery = _deliveries.get(address)
        if delivery is None:
            delivery = _deliveries[address] = Delivery(connection_to(address))
        return delivery


def flush(target: str | None = None, timeout_seconds: float = 30.0, level: str = "durable") -> None:
    """Wait until everything this process logged is durable, or (level "applied") can be read.

    DeadlineExceeded when it is not by then; nothing is lost by that.
    """
    begun = time.monotonic()
    delivery = delivery_to(target)
    if not delivery.flush(timeout_seconds):
        raise DeadlineExceeded(
            "NOT_DURABLE", f"{delivery.pending_points:,} points are not durable after {timeout_seconds:.0f} s"
        )
    if level == "applied":
        remaining = max(0.1, timeout_seconds - (time.monotonic() - begun))
        wait_applied(delivery.connection, remaining)


def wait_applied(connection: Connection, timeout_seconds: float) -> None:
    """Wait until what this process wrote can be read."""
    request = query_pb2.WaitForPositionRequest(position=connection.position())
    connection.call(connection.query.WaitForPosition, request, timeout_seconds)


def _forget() -> None:
    """In a forked child: threads and channels are the parent's."""
    global _lock
    _lock = threading.Lock()
    _deliveries.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
