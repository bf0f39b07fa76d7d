"""Delivery: from the outbox over one stream into the log, until every frame has its answer.

    waiting     in the outbox
    in flight   framed, in the journal where there is one, and sent or to be sent; kept until its response
    durable     answered; forgotten
    set aside   refused; counted, warned about and, where that can be, told to the run; forgotten

One thread frames what was put, one owns the stream and reads its responses, one has the journal's files synced; gRPC
pulls frames out of `_requests` in a thread of its own. When the stream breaks, or an answer says "not now", the next
stream first sends again what is in flight, in order. Offline there is no stream: all that has no answer is kept.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import grpc
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog._delivery.account import Account, Refusals
from fleetlog._delivery.diagnostics import Warnings
from fleetlog._delivery.experiment_numbers import ExperimentNumbers
from fleetlog._delivery.heartbeats import Heartbeats
from fleetlog._delivery.in_flight import WAITING_BYTES, InFlight, Sent
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.requests import Requests
from fleetlog._delivery.responses import NotNow, Responses
from fleetlog._delivery.spool import Spool
from fleetlog._delivery.stream_state import Change, State, StreamState
from fleetlog._delivery.uploads import Uploads
from fleetlog._events.items import Fact, Item, Marker, Writer
from fleetlog._journal.journal import Journal
from fleetlog._journal.records import Answered
from fleetlog._transport.calls_in_progress import Stream
from fleetlog._transport.connection import Connection
from fleetlog._transport.threads import THREADS_AT_EXIT, holds, is_alive, started
from fleetlog.errors import FailedPrecondition, FleetlogError, from_call

_jitter = random.Random()  # noqa: S311
"""Not the module's own numbers: a training that is seeded has to get the same ones on every day."""

BACKOFF_SECONDS = (0.1, 5.0)
MAX_PAUSE_SECONDS = 60.0
"""The longest that a server may ask us to wait."""
SILENCE_SECONDS = 20.0
"""Longest wait for an answer to a small frame; then everything without one is sent again over a new connection."""
SLOW_BYTES_PER_SECOND = 25_000
"""A link as slow as this is no silence: a large frame has that much longer for its answer."""
BEGIN_SECONDS = 1.0
"""Longest wait for a first stream, on a Python that begins none later."""
SYNC_SECONDS = 0.5
"""Time from the first frame that the disk does not have until it has."""
IDLE_SYNC_SECONDS = 60.0
SPOOL_PAUSE_SECONDS = 0.1
"""Time until framing that failed is tried again."""
LOST = "lost"
LATE_SECONDS = 5.0
"""Longest wait in all for what is logged when the process has delivered its last."""


class Delivery:
    """Everything of this process that goes to one server."""

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox | None = None,
        backoff_seconds: tuple[float, float] = BACKOFF_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        journal: Callable[[Callable[[str, str], None]], Journal] | None = None,
        *,
        offline: bool = False,
        refusals: Refusals | None = None,
        forgotten: Callable[[Sequence[Sent]], None] | None = None,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        """A delivery that begins with the first writer.

        `journal` makes the journal, given what takes warnings; None: there is none. Offline no server is tried.
        `refusals` stands in for the account where what is sent is not this process's; `forgotten` is told of frames
        that have their answers.
        """
        self.connection = connection
        self.offline = offline
        self._backoff_seconds = backoff_seconds
        self._silence_seconds = silence_seconds
        self._ended = threading.Event()
        self.outbox = outbox or Outbox()
        self.warn: Callable[[str, str], None] = Warnings().warn
        """A warning of a kind, each kind once a minute."""
        self.account = Account(self.outbox, self.warn)
        self.uploads = Uploads(connection, self.outbox, self.warn, offline=offline)
        self._make_journal = journal
        self.journal = None if journal is None else journal(self.warn)
        self._changed = threading.Condition()
        self._stream = StreamState()
        """Changed, and read where it matters, with `_changed` held."""
        paths = None if self.journal is None else self.journal.paths_from
        # Offline nothing leaves: then the journal alone has it.
        self._in_flight = InFlight(self._changed, paths, 0 if offline else WAITING_BYTES)
        self._experiments = ExperimentNumbers(connection, self._in_flight, self.warn, self._note_experiment)
        self.heartbeats = heartbeats or Heartbeats()
        """The writers of this process that live."""
        self.spool = Spool(self.outbox, self._in_flight, self._changed, self.account, self.journal, self.heartbeats)
        heard = self.account if refusals is None else refusals
        self._requests = Requests(self._in_flight, self._stream, self._changed, heard, self.warn, self.heartbeats)
        forgets = forgotten or self._forgotten
        self._responses = Responses(self._in_flight, heard, connection.saw, forgets, self.heartbeats)
        self._spooler: threading.Thread | None = None
        self._syncer: threading.Thread | None = None
        self._thread: threading.Thread | None = None
        self._watcher: threading.Thread | None = None
        self._start = threading.RLock()
        self._late_seconds = LATE_SECONDS
        self._call: Stream[ingest_pb2.AppendEventsResponse] | None = None
        self._reading = False
        """Whether the delivery thread is in gRPC, or was when an exception came."""

    def add(self, writer: Writer) -> None:
        """A writer's first event; everything else of it follows."""
        if writer.started is not None:
            event = event_pb2.Event(observe_time_millis=time.time_ns() // 1_000_000, run_started=writer.started)
            self._experiments.fill_in(writer, event)
            self.outbox.put(Fact(writer, event))
            if writer.started.heartbeats:
                self.heartbeats.begin(writer)
        self._begin_threads()

    def _begin_threads(self) -> None:
        """Start the threads that are not alive: whatever ended them, nothing is sent without them."""
        with self._start:
            if self._stream.closed:
                return
            try:
                if not is_alive(self._spooler):
                    self._spooler = started("fleetlog-spool", self._spool_all)
                if self.journal is not None and not is_alive(self._syncer):
                    self._syncer = started("fleetlog-sync", self._sync_all)
                if self.offline:
                    return
                if not is_alive(self._thread):
                    self._thread = started("fleetlog-delivery", self._run)
                    if not THREADS_AT_EXIT:
                        self._wait_for_stream()
                if not is_alive(self._watcher):
                    self._watcher = started("fleetlog-watch", self._watch)
                self._experiments.begin()
                self.uploads.begin()
            except RuntimeError as error:
                self.warn("thread", f"not delivered yet, no thread can be started: {error}")
                self.outbox.call_at_next_put(self._begin_threads)

    def _wait_for_stream(self) -> None:
        """A process may end with the next line: what has no stream by then, of which gRPC makes threads, gets none."""
        with self._changed:
            self._changed.wait_for(lambda: self._call is not None or self._stream.closed, BEGIN_SECONDS)

    def resolve(self, namespace: str, name: str, timeout_seconds: float) -> int:
        """The number of an experiment, which is made when it is not there. FleetlogError."""
        return self._experiments.resolve(namespace, name, timeout_seconds)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is durable or set aside, and no file waits; False when the time ran out."""
        if (self._thread is None and not self.offline) or self._stream.closed:
            return not self.pending()
        if self.offline:
            return self.spool.drain() and self.is_kept
        self._begin_threads()
        deadline = time.monotonic() + timeout_seconds
        uploaded = self.uploads.wait(timeout_seconds)
        with self.spool.framing, self._changed:
            # Nobody needs to be there when there is nothing for them.
            if not self._in_flight and self.outbox.empty:
                return uploaded
        marker = Marker()
        self.outbox.put(marker)
        return marker.reached.wait(max(0.0, deadline - time.monotonic())) and uploaded

    def has_room(self) -> bool:
        """True if `send_again` takes more."""
        return self._in_flight.has_room

    def send_again(self, made: Sequence[tuple[Writer, frame_pb2.Frame]]) -> None:
        """Send frames that another process made, which is dead: as they are."""
        self._in_flight.extend(made)
        self._begin_threads()

    def wait(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """Until the condition holds, which is asked whenever frames come or are answered; whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_seconds)

    def flush_local(self) -> None:
        """Have everything that was put, and has no answer, on this machine's disk. FailedPrecondition: it can't be."""
        framed = self.spool.drain()
        if self.journal is None:
            raise FailedPrecondition(
                "JOURNAL_OFF",
                "this process keeps no journal: set FLEETLOG_JOURNAL to a folder, or give level='durable'",
            )
        self.journal.flush()
        if not framed or self._in_flight.unjournaled:
            raise FailedPrecondition(
                self.journal.problem or "JOURNAL_UNWRITABLE",
                f"{self.pending() or 'the last events'} are not all in the journal, which could not be written;"
                " level='durable' waits for the server instead",
            )

    @property
    def has_pending(self) -> bool:
        """True if something was put that has no answer."""
        return bool(self._in_flight) or not self.outbox.empty

    @property
    def is_kept(self) -> bool:
        """True if all events that have no answer are in the journal, from which `fleetlog sync` delivers them."""
        return self.journal is not None and self.outbox.empty and not self._in_flight.unjournaled

    @property
    def held_here(self) -> bool:
        """True if the calling thread is amid a change of the delivery: what it waited for would not come."""
        locks = self._changed, self._start, self.spool.framing, self.connection.under_way.changed
        return (
            self.outbox.held_here
            or (self.journal is not None and self.journal.held_here)
            or self.uploads.held_here
            or self._experiments.held_here
            or any(holds(lock) for lock in locks)
        )

    @property
    def closed(self) -> bool:
        """Whether it ended."""
        return self._stream.closed

    def pause(self, timeout_seconds: float) -> bool:
        """End the stream for a while, `resume` begins the next: whether its thread is through with it."""
        self._end_stream(Change.PAUSE)
        with self._changed:
            paused = self._changed.wait_for(lambda: self._stream.state is not State.ENDING, timeout_seconds)
        # Last: who has it takes no other lock.
        if self.journal is not None:
            self.journal.hold()
        return paused

    def resume(self) -> None:
        """Go on after `pause`."""
        if self.journal is not None:
            self.journal.go_on()
        self._change(Change.RESUME)

    def close(self) -> None:
        """End the stream and its thread; what is pending is not delivered. `flush` before."""
        self.uploads.close()
        self._experiments.close()
        self._ended.set()
        self.outbox.close(self._put_late)
        self._end_stream(Change.CLOSE)
        if self._thread is not None:
            self._thread.join(2.0)
        self.spool.end()
        if self.journal is not None:
            self.spool.drain()
            if self.has_pending:
                with suppress(FleetlogError):
                    self.journal.flush()
            self.journal.close(keep=self.has_pending or bool(self.uploads.names))

    def _change(self, change: Change) -> None:
        with self._changed:
            self._stream.change(change)
            self._changed.notify_all()

    def _end_stream(self, change: Change) -> None:
        self._change(change)
        call = self._call
        self.outbox.wake()
        if call is not None:
            call.cancel()

    @property
    def pending_points(self) -> int:
        """Points that are not durable yet."""
        with self._changed:
            return self.outbox.points + self._in_flight.points

    def _forgotten(self, frames: Sequence[Sent]) -> None:
        """These have their answers."""
        if self.journal is not None:
            last = {(sent.writer.run_id, sent.writer.writer_id): sent.frame.events[-1].sequence for sent in frames}
            self.journal.answered([Answered(*names, sequence) for names, sequence in last.items()], self._in_flight.low)

    def _note_experiment(self, namespace: str, name: str, number: int) -> None:
        if self.journal is not None:
            self.journal.note_experiment(namespace, name, number)

    def pending(self) -> str:
        """What is not durable yet, in words; "" when everything is."""
        points, files = self.pending_points, self.uploads.names
        parts = [f"{points:,} points"] if points else []
        if files:
            shown = ", ".join(files[:3]) + (", …" if len(files) > 3 else "")
            parts.append(f"{len(files):,} {'file' if len(files) == 1 else 'files'} ({shown})")
        return " and ".join(parts)

    def _put_late(self, item: Item) -> None:
        """Something is logged after `close`, most likely while the process ends: it is sent at once, kept, or told."""
        begun = time.monotonic()
        fate = self._send_late(item) if self._late_seconds > 0 else LOST
        self._late_seconds -= time.monotonic() - begun
        if fate and not isinstance(item, Marker):
            run_id = item.writer.run_id.hex()
            self.warn("late", f"run {run_id}: what is logged after the last delivery of the process is {fate}")

    def _send_late(self, item: Item) -> str:
        """What became of it, in words; "" when it is delivered."""
        # Nothing may pass what is kept: of one writer the order matters.
        offline = self.offline or bool(self.pending())
        late = Delivery(
            self.connection, backoff_seconds=self._backoff_seconds, journal=self._make_journal, offline=offline
        )
        if isinstance(item, Fact) and item.event.HasField("run_started"):
            late._experiments.fill_in(item.writer, item.event)
        late.outbox.put(item)
        late._begin_threads()
        try:
            # Where Python starts no threads any more at this time nobody comes for it.
            delivered = late.flush(self._late_seconds) and not offline
        finally:
            late.close()
            self.connection.under_way.end_streams(1.0)
        if delivered:
            return ""
        return f"kept in {late.journal.path}: `fleetlog sync` delivers it" if late.journal and late.is_kept else LOST

    def _spool_all(self) -> None:
        """The thread that frames what was put. Begun again when it dies of something."""
        try:
            while not self._ended.is_set():
                try:
                    self.spool.run(self._ended.is_set)
                except Exception as error:  # whatever it is: nothing was taken that is not framed, so go on
                    self.warn("spool", f"not delivered yet, trying again: {error!r}")
                    self._ended.wait(SPOOL_PAUSE_SECONDS)
        except BaseException as error:
            self.warn("thread", f"framing ended by {error!r}; it begins again with what is logged next")
            self.outbox.call_at_next_put(self._begin_threads)

    def _sync_all(self) -> None:
        """The thread that has the journal's files synced. Begun again when it dies of something."""
        journal = self.journal
        try:
            while journal is not None and not self._ended.is_set():
                if journal.wait_unsynced(IDLE_SYNC_SECONDS):
                    # Until then it may have its answer, and need no disk.
                    self._ended.wait(SYNC_SECONDS)
                    with suppress(OSError):
                        journal.sync()
        except BaseException as error:
            self.warn("sync", f"syncing the journal ended by {error!r}; it begins again soon")

    def _run(self) -> None:
        """The delivery thread. Begun again at the next put when it dies of something."""
        try:
            self._deliver()
        except BaseException as error:
            self._change(Change.ENDED)
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
                    self._changed.wait_for(lambda: self._stream.closed or self._stream.may_begin)
                    if self._stream.closed:
                        return
                    generation = self._stream.change(Change.BEGIN)
                    self._in_flight.begin()
                    self.heartbeats.stream_began()
                    self._reading = True
                    stream = self._call = self._begin(generation)
                    self._changed.notify_all()
                responses = iter(stream)
                while (response := self._next(responses)) is not None:
                    self._responses.answered(response)
                    attempt = 0
            except grpc.RpcError as error:
                pause = self._broken(from_call(error, self.connection.target))
            except NotNow as later:
                self._let_go(stream)
                pause = self._broken(later.error)
            except Exception as error:  # whatever it is: nothing was forgotten that has no answer, so go on
                self.warn("delivery", f"not delivered yet, trying again: {error!r}")
                self._let_go(stream)
            self._change(Change.ENDED)
            self.outbox.wake()
            low, high = self._backoff_seconds
            delay = min(high, low * 2**attempt) * _jitter.uniform(0.5, 1.0)
            attempt = min(attempt + 1, 10)
            until = time.monotonic() + max(delay, min(pause, MAX_PAUSE_SECONDS))
            with self._changed:
                if self._stream.paused:
                    # Nothing is wrong: it goes on as soon as it may.
                    attempt = 0
                    continue
                while not self._stream.closed and (remaining := until - time.monotonic()) > 0:
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

    def _begin(self, generation: int) -> Stream[ingest_pb2.AppendEventsResponse]:
        requests = self._requests.of(generation)
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
        if self._stream.closed or self._stream.paused:
            return 0.0
        if error.code == "UNAVAILABLE":
            self.connection.renew_if_certificates_changed()
        self._responses.stream_ended(error)
        if self.pending_points or self._in_flight:
            self.warn("stream", f"not delivered yet, trying again: {error.message}")
        return error.retry_after_seconds or 0.0
