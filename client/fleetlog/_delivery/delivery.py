"""Delivery: from the outbox over one stream into the log, until every frame has its answer.

    waiting     in the outbox
    in flight   framed, in the journal where there is one, and sent or to be sent; kept until its response
    durable     answered; forgotten
    set aside   refused; counted, warned about and, where that can be, told to the run; forgotten

The threads are those of `threads.py`, the streams those of `streams.py`. When a stream breaks, or an answer says "not
now", the next one first sends again what is in flight, in order. Offline there is none: all that has no answer is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog._delivery.account import Account, Refusals
from fleetlog._delivery.diagnostics import Warnings, pending_words
from fleetlog._delivery.experiment_numbers import ExperimentNumbers
from fleetlog._delivery.heartbeats import Heartbeats
from fleetlog._delivery.in_flight import WAITING_BYTES, InFlight
from fleetlog._delivery.late_items import LOST, LateItems
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.requests import Requests
from fleetlog._delivery.responses import Responses
from fleetlog._delivery.sent import Sent
from fleetlog._delivery.spool import Spool
from fleetlog._delivery.stream_state import StreamState
from fleetlog._delivery.streams import Streams
from fleetlog._delivery.threads import DeliveryThreads
from fleetlog._delivery.uploads import Uploads
from fleetlog._events.items import Fact, Item, Marker, Writer
from fleetlog._journal.journal import Journal
from fleetlog._transport.connection import Connection
from fleetlog._transport.threads import holds
from fleetlog.errors import FleetlogError

BACKOFF_SECONDS = (0.1, 5.0)
SILENCE_SECONDS = 20.0
"""Longest wait for an answer to a small frame; then everything without one is sent again over a new connection."""
CLOSE_SECONDS = 2.0
"""Longest wait for the delivery thread to end."""


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
        self.heartbeats = heartbeats or Heartbeats()
        """The writers of this process that live."""
        self.spool = Spool(self.outbox, self._in_flight, self._changed, self.account, self.journal, self.heartbeats)
        self._experiments = ExperimentNumbers(connection, self._in_flight, self.warn, self.spool.note_experiment)
        heard = self.account if refusals is None else refusals
        forgets = forgotten or self.spool.forget
        self._streams = Streams(
            connection, self.outbox, self._in_flight, self._stream, self._changed,
            Requests(self._in_flight, self._stream, self._changed, heard, self.warn, self.heartbeats),
            Responses(self._in_flight, heard, connection.saw, forgets, self.heartbeats),
            self.heartbeats, self.warn, backoff_seconds,
        )  # fmt: skip
        self._threads = DeliveryThreads(
            self.outbox, self.spool, self.journal, None if offline else self._streams, silence_seconds, self.warn,
            self._begin_more,
        )  # fmt: skip

    def add(self, writer: Writer) -> None:
        """A writer's first event; everything else of it follows."""
        if writer.started is not None:
            event = event_pb2.Event(observe_time_millis=time.time_ns() // 1_000_000, run_started=writer.started)
            self._experiments.fill_in(writer, event)
            self.outbox.put(Fact(writer, event))
            if writer.started.heartbeats:
                self.heartbeats.begin(writer)
        self._threads.begin()

    def _begin_more(self) -> None:
        self._experiments.begin()
        self.uploads.begin()

    def resolve(self, namespace: str, name: str, timeout_seconds: float) -> int:
        """The number of an experiment, which is made when it is not there. FleetlogError."""
        return self._experiments.resolve(namespace, name, timeout_seconds)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is durable or set aside, and no file waits; False when the time ran out."""
        if self._stream.closed or not (self.offline or self._threads.have_begun):
            return not self.pending()
        if self.offline:
            return self.spool.drain() and self.is_kept
        self._threads.begin()
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
        self._threads.begin()

    def wait(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """Until the condition holds, which is asked whenever frames come or are answered; whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_seconds)

    def flush_local(self) -> None:
        """Have everything that was put, and has no answer, on this machine's disk. FailedPrecondition: it can't be."""
        self.spool.flush(self.pending)

    @property
    def has_pending(self) -> bool:
        """True if something was put that has no answer."""
        return bool(self._in_flight) or not self.outbox.empty

    @property
    def is_kept(self) -> bool:
        """True if all events that have no answer are in the journal, from which `fleetlog sync` delivers them."""
        return self.spool.is_kept

    @property
    def held_here(self) -> bool:
        """True if the calling thread is amid a change of the delivery: what it waited for would not come."""
        locks = self._changed, self.spool.framing, self.connection.under_way.changed
        return (
            self.outbox.held_here
            or (self.journal is not None and self.journal.held_here)
            or self.uploads.held_here
            or self._experiments.held_here
            or self._threads.held_here
            or any(holds(lock) for lock in locks)
        )

    @property
    def closed(self) -> bool:
        """Whether it ended."""
        return self._stream.closed

    def pause(self, timeout_seconds: float) -> bool:
        """End the stream for a while, `resume` begins the next: whether its thread is through with it."""
        paused = self._streams.pause(timeout_seconds)
        # Last: who has it takes no other lock.
        if self.journal is not None:
            self.journal.hold()
        return paused

    def resume(self) -> None:
        """Go on after `pause`."""
        if self.journal is not None:
            self.journal.go_on()
        self._streams.resume()

    def close(self) -> None:
        """End the stream and its thread; what is pending is not delivered. `flush` before."""
        self.uploads.close()
        self._experiments.close()
        self._threads.end()
        self.outbox.close(LateItems(self._send_late, self.warn).put)
        self._streams.close()
        self._threads.wait_for_delivery(CLOSE_SECONDS)
        self.spool.end()
        if self.journal is not None:
            self.spool.drain()
            if self.has_pending:
                with suppress(FleetlogError):
                    self.journal.flush()
            self.journal.close(keep=self.has_pending or bool(self.uploads.names))

    @property
    def pending_points(self) -> int:
        """Points that are not durable yet."""
        with self._changed:
            return self.outbox.points + self._in_flight.points

    def pending(self) -> str:
        """What is not durable yet, in words; "" when everything is."""
        return pending_words(self.pending_points, self.uploads.names)

    def _send_late(self, item: Item, timeout_seconds: float) -> str:
        """What became of something that was put after `close`, in words; "" when it is delivered."""
        # Nothing may pass what is kept: of one writer the order matters.
        offline = self.offline or bool(self.pending())
        late = Delivery(
            self.connection, backoff_seconds=self._backoff_seconds, journal=self._make_journal, offline=offline
        )
        if isinstance(item, Fact) and item.event.HasField("run_started"):
            late._experiments.fill_in(item.writer, item.event)
        late.outbox.put(item)
        late._threads.begin()
        try:
            # Where Python starts no threads any more at this time nobody comes for it.
            delivered = late.flush(timeout_seconds) and not offline
        finally:
            late.close()
            self.connection.under_way.end_streams(1.0)
        if delivered:
            return ""
        return f"kept in {late.journal.path}: `fleetlog sync` delivers it" if late.journal and late.is_kept else LOST
