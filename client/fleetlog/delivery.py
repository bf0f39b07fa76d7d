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
from collections.abc import Callable, Iterator, Sequence

import grpc
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog.connection import Connection
from fleetlog.diagnostics import make_printable
from fleetlog.errors import FleetlogError, from_call, from_status, is_fleetlogs
from fleetlog.experiment_numbers import ExperimentNumbers
from fleetlog.framing import FRAME_POINTS, Framer
from fleetlog.in_flight import InFlight, Sent, request_of
from fleetlog.outbox import Fact, Item, Marker, Outbox, Writer
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
"""Streams that end as wrong with the same frame first, until the frame is set aside."""
SILENCE_SECONDS = 20.0
"""Longest wait for an answer to a small frame; then everything without one is sent again over a new connection."""
SLOW_BYTES_PER_SECOND = 25_000
"""A link as slow as this is no silence: a large frame has that much longer for its answer."""
LATE_SECONDS = 5.0
"""Longest wait in all for what is logged when the process has delivered its last."""
WARNING_SECONDS = 60.0
_WRONG = (
    "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "NOT_FOUND",
)  # fmt: skip
"""Codes that speak of a frame, when fleetlog says so and names no time to come back at."""


class _NotNow(Exception):
    """An answer that asks for the frame again, later."""

    def __init__(self, error: FleetlogError) -> None:
        super().__init__(error.message)
        self.error = error


def _is_alive(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.is_alive()


def _started(name: str, target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def _speaks_of_frame(error: FleetlogError) -> bool:
    """Whether it is fleetlog's verdict on what was sent. All else, of a proxy for instance, may be over soon."""
    return is_fleetlogs(error) and error.code in _WRONG and error.retry_after_seconds is None


def _mismatch(what: str) -> _NotNow:
    return _NotNow(FleetlogError("ANSWER_MISMATCH", f"the server's answers do not match what was sent: {what}"))


def _check_answer(frame: frame_pb2.Frame, response: ingest_pb2.AppendEventsResponse) -> None:
    """_NotNow when the answer is not of this frame, or of less than the frame has."""
    if response.HasField("status") and not _speaks_of_frame(from_status(response.status)):
        return
    if (response.run_id, response.writer_id) != (frame.run_id, frame.writer_id):
        raise _mismatch(
            f"run {frame.run_id.hex()} and writer {frame.writer_id.hex()} were sent, run {response.run_id.hex()} and"
            f" writer {response.writer_id.hex()} answered"
        )
    last = frame.events[-1].sequence
    if not response.HasField("status") and response.durable_sequence < last:
        raise _mismatch(
            f"sequences up to {last:,} of run {frame.run_id.hex()} were sent, {response.durable_sequence:,} answered"
        )


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
        self._watcher: threading.Thread | None = None
        self._start = threading.RLock()
        self._closed = False
        self._late_seconds = LATE_SECONDS
        self._call: Stream[ingest_pb2.AppendEventsResponse] | None = None
        self._paused = False
        self._streaming = False
        self._reading = False
        """Whether the delivery thread is in gRPC, or was when an exception came."""
        self._last_warning: dict[str, float] = {}
        self.refused_events = 0
        self.lost_points = 0

    def add(self, writer: Writer) -> None:
        """A writer's first event; everything else of it follows."""
        event = event_pb2.Event(observe_time_millis=time.time_ns() // 1_000_000, run_started=writer.started)
        self.outbox.put(Fact(writer, event))
        self._begin_threads()

    def _begin_threads(self) -> None:
        """Start the threads that are not alive: whatever ended them, nothing is sent without them."""
        with self._start:
            if self._closed:
                return
            try:
                if not _is_alive(self._thread):
                    self._thread = _started("fleetlog-delivery", self._run)
                if not _is_alive(self._watcher):
                    self._watcher = _started("fleetlog-watch", self._watch)
            except RuntimeError as error:
                self.warn("thread", f"not delivered yet, no thread can be started: {error}")
                self.outbox.call_at_next_put(self._begin_threads)

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
        self._begin_threads()
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
        self.outbox.close(self._put_late)
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

    def _put_late(self, item: Item) -> None:
        """Something is logged after `close`, most likely while the process ends: it is sent at once, or told."""
        begun = time.monotonic()
        sent = self._late_seconds > 0 and not self.pending() and self._send_late(item)
        self._late_seconds -= time.monotonic() - begun
        if not sent and not isinstance(item, Marker):
            run_id = item.writer.run_id.hex()
            self.warn("late", f"run {run_id}: what is logged after the last delivery of the process is lost")

    def _send_late(self, item: Item) -> bool:
        late = Delivery(self.connection, backoff_seconds=self._backoff_seconds)
        late.outbox.put(item)
        late._begin_threads()
        try:
            # Since 3.12 Python starts no threads any more at this time; then nobody comes for it.
            return late.flush(self._late_seconds)
        finally:
            late.close()
            self.connection.under_way.end_streams(1.0)

    def _run(self) -> None:
        """The delivery thread. Begun again at the next put when it dies of something."""
        try:
            self._deliver()
        except BaseException as error:
            with self._changed:
                self._generation += 1
                self._streaming = False
                self._changed.notify_all()
                call, self._call = self._call, None
            self._let_go(call)
            self.warn("thread", f"the delivery ended by {error!r}; it begins again with what is logged next")
            self.outbox.call_at_next_put(self._begin_threads)

    def _deliver(self) -> None:
        attempt = 0
        while True:
            pause = 0.0
            stream: Stream[ingest_pb2.AppendEventsResponse] | None = None
            try:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or not self._paused)
                    if self._closed:
                        return
                    self._generation += 1
                    self._in_flight.begin()
                    self._streaming = True
                    self._reading = True
                    stream = self._call = self._begin()
                responses = iter(stream)
                while (response := self._next(responses)) is not None:
                    self._answered(response)
                    attempt = 0
            except grpc.RpcError as error:
                pause = self._broken(from_call(error, self.connection.target))
            except _NotNow as later:
                self._let_go(stream)
                pause = self._broken(later.error)
            except Exception as error:  # whatever it is: nothing was forgotten that has no answer, so go on
                self.warn("delivery", f"not delivered yet, trying again: {error!r}")
                self._let_go(stream)
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
            self.connection.abandon(stream)
        elif stream is not None:
            stream.cancel()

    def _begin(self) -> Stream[ingest_pb2.AppendEventsResponse]:
        requests = self._requests(self._generation)
        return self.connection.under_way.begin(lambda: self.connection.ingest.AppendEvents(requests))

    def _watch(self) -> None:
        """Break a stream that owes answers and gives none: a connection can look alive with nobody behind it.

        Also begins the delivery again, should nothing be logged any more that would.
        """
        try:
            while not self._ended.wait(self._silence_seconds / 4):
                self._look()
        except BaseException as error:
            self.warn("watch", f"the watch over the delivery ended by {error!r}; it begins again with the next flush")

    def _look(self) -> None:
        with self._changed:
            patience = self._silence_seconds + self._in_flight.owed_bytes() / SLOW_BYTES_PER_SECOND
            silent = self._in_flight.silent_seconds() > patience
            call = self._call
        if silent and call is not None:
            self.connection.renew()
            call.cancel()
        self._begin_threads()

    def _broken(self, error: FleetlogError) -> float:
        """A stream ended by an error. How long the server asks us to wait, in seconds."""
        if self._closed or self._paused:
            return 0.0
        head = self._in_flight.first_sent()
        if head is not None and _speaks_of_frame(error):
            # Answers come in order: the first without one is what the server ended the stream at.
            head.refused_streams += 1
            self._singly = True
            if head.refused_streams >= REFUSED_STREAMS:
                self._set_aside(self._in_flight.answered(), error)
        if self.pending_points or self._in_flight:
            self.warn("stream", f"not delivered yet, trying again: {error.message}")
        return error.retry_after_seconds or 0.0

    def _requests(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """What the stream of a generation sends; whatever ends it, the stream ends with it, and the next one begins."""
        try:
            yield from self._requests_of(generation)
        except GeneratorExit:
            raise
        except BaseException as error:
            self.warn("requests", f"not delivered yet, trying again: {error!r}")

    def _requests_of(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """All that is in flight, in order, and what is framed meanwhile; until the generation ends."""
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
            if items:
                self._in_flight.extend(self._framer.all_frames(list(by_writer(items)), self._not_framed))
                self.outbox.settle()
        return bool(items)

    def _not_framed(self, writer: Writer, items: Sequence[Item], error: Exception) -> None:
        """A writer of which no frame can be made: it can't be told to its run either."""
        points = sum(item.points for item in items)
        self.lost_points += points
        self.refused_events += sum(isinstance(item, Fact) for item in items)
        self.warn(
            f"framing:{writer.run_id.hex()}",
            f"{points:,} points of run {writer.run_id.hex()} can't be encoded and are lost: {error!r:.200}",
        )

    def _answered(self, response: ingest_pb2.AppendEventsResponse) -> None:
        """The answer to one request. _NotNow: from some frame on it is to be sent again."""
        answers = [response, *response.more_responses]
        if self._in_flight.next_answer() != len(answers):
            # It says nothing of any frame in particular.
            self._singly = True
            if not response.HasField("status"):
                raise _mismatch(f"there are {len(answers):,} answers to the frames of one request")
            raise _NotNow(from_status(response.status))
        for sent, answer in zip(self._in_flight.oldest(len(answers)), answers, strict=True):
            _check_answer(sent.frame, answer)
        # Before anything is forgotten: who sees that nothing is in flight may read at once.
        self.connection.saw(response.position)
        for answer in answers:
            self._answered_one(answer)
        if not self._in_flight:
            self._singly = False
        if not self._singly:
            self._in_flight.allow(response.frames_per_request)

    def _answered_one(self, response: ingest_pb2.AppendEventsResponse) -> None:
        error = from_status(response.status) if response.HasField("status") else None
        if error is not None and not _speaks_of_frame(error):
            raise _NotNow(error)
        if error is not None and error.reason == "SEQUENCE_GAP":
            self._missing(self._in_flight.oldest(1)[0], error)
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

    def _missing(self, sent: Sent, error: FleetlogError) -> None:
        """The server has not got what came before the frame, and nor has this client: it is counted, once.

        A new stream takes the frame then, since it knows of nothing before.
        """
        sent.refused_streams += 1
        if sent.refused_streams == 1:
            expected = error.metadata.get("expected_sequence", "")
            missing = sent.frame.events[0].sequence - int(expected) if expected.isdecimal() else 0
            self.outbox.lose(sent.writer, error.reason, events=max(missing, 0))
        if sent.refused_streams < REFUSED_STREAMS:
            raise _NotNow(error)

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
