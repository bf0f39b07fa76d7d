"""Delivery: from the outbox over one stream into the log, until every frame has its answer.

    waiting     in the outbox
    in flight   framed and sent, or to be sent again; kept until its response
    durable     answered; forgotten
    set aside   refused; counted, warned about and, where that can be, told to the run; forgotten

One thread owns the stream and reads its responses; gRPC pulls frames out of `_requests` in a thread of its own. When
the stream breaks, or an answer says "not now", the next stream first sends again what is in flight, in order.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator

import grpc
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from fleetlog.connection import Connection
from fleetlog.diagnostics import make_printable
from fleetlog.errors import RETRY, FleetlogError, from_call, from_status
from fleetlog.experiment_numbers import ExperimentNumbers
from fleetlog.framing import FRAME_POINTS, Framer
from fleetlog.in_flight import InFlight, Sent, request_of
from fleetlog.outbox import Fact, Marker, Outbox, Writer
from fleetlog.turns import by_writer
from fleetlog.under_way import Stream
from fleetlog.uploads import Uploads

diagnostics = logging.getLogger("fleetlog")
diagnostics.addFilter(make_printable)
_jitter = random.Random()  # noqa: S311
"""Not the module's own numbers: a training that is seeded has to get the same ones on every day."""

FRAME_INTERVAL_SECONDS = 0.02
"""Under load frames are this far apart, so that they are large; a lone event goes at once."""
BACKOFF_SECONDS = (0.1, 5.0)
MAX_PAUSE_SECONDS = 60.0
"""The longest that a server may ask us to wait."""
REFUSED_STREAMS = 3
"""So many streams that end as wrong with the same frame first set the frame aside."""
SILENCE_SECONDS = 60.0
"""The server may take so long for an answer; then everything without one is sent again over a new connection."""
WARNING_SECONDS = 60.0
_WRONG = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED")


class _NotNow(Exception):
    """An answer that asks for the frame again, later."""

    def __init__(self, error: FleetlogError) -> None:
        super().__init__(error.message)
        self.error = error


class Delivery:
    """Everything of this process that goes to one server."""

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox | None = None,
        backoff_seconds: tuple[float, float] = BACKOFF_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.connection = connection
        self._backoff_seconds = backoff_seconds
        self._silence_seconds = silence_seconds
        self._ended = threading.Event()
        self.outbox = outbox or Outbox()
        self.uploads = Uploads(connection, self.outbox, self.warn)
        self._framer = Framer()
        self._changed = threading.Condition()
        self._in_flight = InFlight(self._changed)
        self._singly = False
        """A request was wrong as a whole: one frame a request, until it is known which one."""
        self._generation = 0
        # Reentrant: a signal may end the process amid a flush, by another one.
        self._framing = threading.RLock()
        self._experiments = ExperimentNumbers(connection)
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._closed = False
        self._call: Stream[ingest_pb2.AppendEventsResponse] | None = None
        self._paused = False
        self._streaming = False
        self._last_warning: dict[str, float] = {}
        self.refused_events = 0
        self.lost_points = 0

    def add(self, writer: Writer) -> None:
        """A writer's first event; everything else of it follows."""
        event = event_pb2.Event(observe_time_millis=time.time_ns() // 1_000_000, run_started=writer.started)
        self.outbox.put(Fact(writer, event))
        with self._start:
            if self._thread is None:
                threading.Thread(target=self._watch, name="fleetlog-watch", daemon=True).start()
                self._thread = threading.Thread(target=self._run, name="fleetlog-delivery", daemon=True)
                self._thread.start()

    def full(self, points: int) -> None:
        """Points that were not taken because the outbox is full; the run will be told."""
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
        return self._experiments.resolve(namespace, name, timeout_seconds)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is durable or set aside, and no file waits; False when the time ran out."""
        if self._thread is None or self._closed:
            return not self.pending()
        deadline = time.monotonic() + timeout_seconds
        uploaded = self.uploads.wait(timeout_seconds)
        with self._framing, self._changed:
            # Nobody needs to be there when there is nothing for them.
            if not self._in_flight and self.outbox.empty:
                return uploaded
        marker = Marker()
        self.outbox.put(marker)
        return marker.reached.wait(max(0.0, deadline - time.monotonic())) and uploaded

    @property
    def closed(self) -> bool:
        """Whether it ended."""
        return self._closed

    def pause(self, timeout_seconds: float) -> bool:
        """End the stream for a while, `resume` begins the next: whether its thread is through with it."""
        with self._changed:
            self._paused = True
            self._generation += 1
            self._changed.notify_all()
            call = self._call
        self.outbox.wake()
        if call is not None:
            call.cancel()
        with self._changed:
            return self._changed.wait_for(lambda: not self._streaming, timeout_seconds)

    def resume(self) -> None:
        """Go on after `pause`."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def close(self) -> None:
        """End the stream and its thread; what is pending is not delivered. `flush` before."""
        self.uploads.close()
        self._ended.set()
        with self._changed:
            self._closed = True
            self._generation += 1
            self._changed.notify_all()
            call = self._call
        self.outbox.wake()
        if call is not None:
            call.cancel()
        if self._thread is not None:
            self._thread.join(2.0)

    @property
    def pending_points(self) -> int:
        """Points that are not durable yet."""
        with self._changed:
            return self.outbox.points + self._in_flight.points

    def pending(self) -> str:
        """What is not durable yet, in words; "" when everything is."""
        points, files = self.pending_points, self.uploads.names
        parts = [f"{points:,} points"] if points else []
        if files:
            shown = ", ".join(files[:3]) + (", …" if len(files) > 3 else "")
            parts.append(f"{len(files):,} {'file' if len(files) == 1 else 'files'} ({shown})")
        return " and ".join(parts)

    def _run(self) -> None:
        """The delivery thread."""
        attempt = 0
        while True:
            pause = 0.0
            try:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or not self._paused)
                    if self._closed:
                        return
                    self._generation += 1
                    self._in_flight.begin()
                    self._streaming = True
                    stream = self._call = self._begin()
                for response in stream:
                    self._answered(response)
                    attempt = 0
            except grpc.RpcError as error:
                pause = self._broken(from_call(error, self.connection.target))
            except _NotNow as later:
                stream.cancel()
                pause = self._broken(later.error)
            except Exception as error:  # whatever it is: nothing was forgotten that has no answer, so go on
                self.warn("delivery", f"not delivered yet, trying again: {error!r}")
            with self._changed:
                self._generation += 1
                self._streaming = False
                self._changed.notify_all()
            self.outbox.wake()
            low, high = self._backoff_seconds
            delay = min(high, low * 2**attempt) * _jitter.uniform(0.5, 1.0)
            attempt = min(attempt + 1, 10)
            until = time.monotonic() + max(delay, min(pause, MAX_PAUSE_SECONDS))
            with self._changed:
                if self._paused:
                    # Nothing is wrong: it goes on as soon as it may.
                    attempt = 0
                    continue
                while not self._closed and (remaining := until - time.monotonic()) > 0:
                    self._changed.wait(remaining)

    def _begin(self) -> Stream[ingest_pb2.AppendEventsResponse]:
        requests = self._requests(self._generation)
        return self.connection.under_way.begin(lambda: self.connection.ingest.AppendEvents(requests))

    def _watch(self) -> None:
        """Break a stream that owes answers and gives none: a connection can look alive with nobody behind it."""
        while not self._ended.wait(self._silence_seconds / 4):
            with self._changed:
                silent = self._in_flight.silent_seconds() > self._silence_seconds
                call = self._call
            if silent and call is not None:
                self.connection.renew()
                call.cancel()

    def _broken(self, error: FleetlogError) -> float:
        """A stream ended by an error. How long the server asks us to wait, in seconds."""
        if self._closed or self._paused:
            return 0.0
        head = self._in_flight.first_sent()
        if head is not None and error.code in _WRONG and error.retry_after_seconds is None:
            # Answers come in order: the first without one is what the server ended the stream at.
            head.refused_streams += 1
            self._singly = True
            if head.refused_streams >= REFUSED_STREAMS:
                self._set_aside(self._in_flight.answered(), error)
        if self.pending_points or self._in_flight:
            self.warn("stream", f"not delivered yet, trying again: {error.message}")
        return error.retry_after_seconds or 0.0

    def _requests(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """What the stream of a generation sends: all that is in flight, in order; it ends with its generation."""
        last = 0.0
        while True:
            with self._changed:
                if generation != self._generation:
                    return
                sent = self._in_flight.next()
                if not sent:
                    if self._in_flight.full:
                        self._changed.wait(1.0)
                        continue
                    pause = last + FRAME_INTERVAL_SECONDS - time.monotonic()
                    if pause > 0:
                        self._changed.wait(pause)
                        continue
            if sent:
                if not all(self._experiments.fill_in(one.writer, one.frame.events[0]) for one in sent):
                    return
                yield request_of(sent)
                continue
            self.outbox.wait(1.0)
            if self._frame(generation):
                last = time.monotonic()

    def _frame(self, generation: int) -> bool:
        """Frame the oldest items; they are in flight from then on. False when there was none."""
        # A generation that ends and the one that follows must not take items side by side: order would be lost.
        with self._framing:
            if generation != self._generation:
                return False
            items = self.outbox.take(FRAME_POINTS)
            for made in self._framer.frames(by_writer(items)):
                if isinstance(made, Marker):
                    self._in_flight.mark(made)
                else:
                    self._in_flight.add(*made)
        return bool(items)

    def _answered(self, response: ingest_pb2.AppendEventsResponse) -> None:
        """The answer to one request. _NotNow: from some frame on it is to be sent again."""
        if self._in_flight.next_answer() != 1 + len(response.more_responses):
            # It says nothing of any frame in particular.
            self._singly = True
            raise _NotNow(from_status(response.status))
        # Before anything is forgotten: who sees that nothing is in flight may read at once.
        self.connection.saw(response.position)
        self._answered_one(response)
        for other in response.more_responses:
            self._answered_one(other)
        if not self._in_flight:
            self._singly = False
        if not self._singly:
            self._in_flight.allow(response.frames_per_request)

    def _answered_one(self, response: ingest_pb2.AppendEventsResponse) -> None:
        error = from_status(response.status) if response.HasField("status") else None
        if error is not None and error.code in RETRY:
            limit = error.code == "RESOURCE_EXHAUSTED" and error.retry_after_seconds is None
            if not limit:
                raise _NotNow(error)
        item = self._in_flight.answered()
        for refusal in response.refusals:
            self.refused_events += 1
            refused = from_status(refusal.status)
            self.warn(refused.reason, f"an event was refused and recorded on the run: {refused.message}")
        if error is not None:
            self._set_aside(item, error)
            return
        for marker in item.markers:
            marker.reached.set()

    def _set_aside(self, item: Sent, error: FleetlogError) -> None:
        """A frame that the server will never take."""
        events = item.frame.events
        self.refused_events += len(events)
        self.lost_points += item.points
        self.warn(error.reason, f"{item.points:,} points of run {item.writer.run_id.hex()} were refused: {error}")
        others = sum(event.WhichOneof("payload") not in ("metrics_logged", "loss_reported") for event in events)
        # A run that takes nothing more can't be told; and a frame that does nothing but tell is not told of again.
        if error.code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED") and (item.points or others):
            untold = sum(event.loss_reported.points for event in events)
            self.outbox.lose(item.writer, error.reason, item.points + untold, others)
        for marker in item.markers:
            marker.reached.set()
