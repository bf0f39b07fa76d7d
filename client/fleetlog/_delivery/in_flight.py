"""Frames that have no answer yet.

waiting   behind the others: in memory, or in the journal alone when there are too many of them
held      its writer's experiment has no number yet: those of other writers pass it
to send   of these, the first ones were sent by the stream there is; they stay until their answers

A frame gets a serial when it comes. Who waits for what was put before is told when all serials up to there have their
answers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from fleetlog_proto.v1 import frame_pb2

from fleetlog._delivery.held_frames import HeldFrames
from fleetlog._delivery.sent import Sent, fill_in, sent_of
from fleetlog._delivery.serials import Serials
from fleetlog._delivery.spilled import Paths, Spilled
from fleetlog._delivery.stream_frames import REQUEST_BYTES, StreamFrames
from fleetlog._delivery.waiting_frames import WaitingFrames
from fleetlog._events.items import Marker, Writer
from fleetlog._journal.segments import Place

WAITING_BYTES = 16_000_000
"""Bytes of waiting frames that stay in memory; those behind them are in the journal alone, where there is one."""
HELD_BYTES = 32_000_000
"""Bytes of frames that are held; with more of them nothing passes them any more."""
MEMORY_BYTES = 64_000_000
"""Bytes of frames in memory from which on no more are made without a place in the journal."""


class InFlight:
    """In the order of their answers. The first ones were sent by the stream there is, the others wait for their turn.

    All calls take the condition that it is made with, and may be made while it is held; who waits for it is told when a
    frame comes, and when one is answered. `paths` are the journal's segments from a number on.
    """

    def __init__(
        self, changed: threading.Condition, paths: Paths | None = None, waiting_bytes: int = WAITING_BYTES
    ) -> None:
        self._changed = changed
        self._to_send = StreamFrames()
        self._waiting = WaitingFrames(paths, waiting_bytes)
        self._held = HeldFrames()
        self._serials = Serials()
        self._markers: deque[tuple[int, Marker]] = deque()
        self._points = 0
        self._unjournaled = 0
        self._unreadable = (0, 0)

    def __len__(self) -> int:
        return self._serials.outstanding

    @property
    def low(self) -> int:
        """Serial below which every frame has its answer."""
        return self._serials.low

    @property
    def next_serial(self) -> int:
        """Serial of the next frame that comes."""
        return self._serials.next

    @property
    def points(self) -> int:
        """Points in them."""
        return self._points

    @property
    def unjournaled(self) -> int:
        """Frames that are in memory alone."""
        return self._unjournaled

    @property
    def full(self) -> bool:
        """True if enough of them are to be sent."""
        return self._to_send.full

    @property
    def wants_more(self) -> bool:
        """True if the stream could send more than there is: the rest may stay unframed for as long as it can't."""
        return not self._to_send.unsent and not self._waiting and not self.full and self._held.size < HELD_BYTES

    @property
    def has_room(self) -> bool:
        """True if enough of them are answered that more may be sent."""
        return not self.full and not self._waiting

    @property
    def has_memory(self) -> bool:
        """True if there is room for a frame that the journal may turn out not to take."""
        return self.size < MEMORY_BYTES

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self._to_send.size + self._waiting.size + self._held.size

    def hold(self, writer: Writer) -> None:
        """Hold back the writer's frames, until `release`; those of others pass them."""
        with self._changed:
            self._held.hold(writer)

    def release(self, writer: Writer) -> None:
        """Let the writer's frames be sent, in their order, with the number that its experiment has now."""
        with self._changed:
            for sent in self._held.release(writer):
                self._put(sent)
            self._changed.notify_all()

    def holds(self, writer: Writer) -> bool:
        """True if the writer's frames are held back."""
        return self._held.holds(writer)

    def extend(
        self, made: Sequence[tuple[Writer, frame_pb2.Frame] | Marker], place: Place | None = None,
        lacking: frozenset[Writer] = frozenset(),
    ) -> None:  # fmt: skip
        """The next ones, all or none; a marker is reached when what is before it has its answers.

        `place` is where the journal has them. Frames of the writers in `lacking` lack their experiment's number.
        """
        frames = [
            sent_of(frame, writer, lacks_experiment=writer in lacking, is_journaled=place is not None)
            for writer, frame in (one for one in made if not isinstance(one, Marker))
        ]
        with self._changed:
            first = self._serials.give(len(frames))
            last = first - 1
            for one in made:
                if isinstance(one, Marker):
                    self._markers.append((last, one))
                else:
                    last += 1
            for serial, sent in enumerate(frames, first):
                sent.serial = serial
            self._points += sum(sent.points for sent in frames)
            self._unjournaled += 0 if place else len(frames)
            spills = bool(frames) and (self._waiting.must_spill or self._held.size >= HELD_BYTES)
            spills = spills and place is not None and self._waiting.spill(frames, place)
            if not spills and (self._waiting or self.full):
                self._waiting.extend(frames)
            elif not spills:
                for sent in frames:
                    self._put(sent)
            self._reach()
            self._changed.notify_all()

    def _put(self, sent: Sent) -> None:
        """Behind those that are to be sent, or among those that are held."""
        if self._held.take(sent):
            return
        if sent.lacks_experiment:
            fill_in(sent)
        self._to_send.add(sent)

    def _refill(self) -> None:
        """Have enough to send for one request, of what waits."""
        size = 0
        while self._waiting and not self.full and self._held.size < HELD_BYTES and size < REQUEST_BYTES:
            sent = self._waiting.take()
            if isinstance(sent, Spilled):
                self._lose(sent)
                continue
            self._put(sent)
            size += sent.size

    def _lose(self, spilled: Spilled) -> None:
        """The rest of a stretch of the journal can't be read."""
        frames, points = self._unreadable
        self._unreadable = (frames + spilled.count, points + spilled.points)
        self._points -= spilled.points
        for serial in range(spilled.next_serial, spilled.next_serial + spilled.count):
            self._serials.answered(serial)
        self._reach()

    def begin(self) -> None:
        """A new stream: it sends all of them again, one by one until its server says that it takes several."""
        with self._changed:
            self._to_send.begin()

    def allow(self, frames: int) -> None:
        """The stream's server takes so many frames in one request."""
        with self._changed:
            self._to_send.allow(frames)

    def next(self) -> list[Sent]:
        """What the stream sends now, in one request; none when it sent all. OSError: the journal can't be read now."""
        with self._changed:
            if self._to_send.lacks_frames:
                self._refill()
            return self._to_send.next()

    def add_heartbeats(self) -> bool:
        """The stream sends a request of heartbeats; False when the one before has no answer yet."""
        with self._changed:
            return self._to_send.owed.sent_heartbeats()

    def next_answer(self) -> int:
        """A request has its answer: how many frames, the first ones here, it speaks of."""
        with self._changed:
            return self._to_send.owed.answered()

    def first_sent(self) -> Sent | None:
        """The one whose answer is next."""
        with self._changed:
            return self._to_send.first_sent()

    def oldest(self, count: int) -> list[Sent]:
        """The first ones."""
        with self._changed:
            return self._to_send.oldest(count)

    def answered(self) -> Sent:
        """Forget the first one."""
        with self._changed:
            sent = self._to_send.answered()
            self._points -= sent.points
            self._unjournaled -= not sent.is_journaled
            self._serials.answered(sent.serial)
            self._changed.notify_all()
        return sent

    def take_unreadable(self) -> tuple[int, int]:
        """Frames that were in the journal alone and can't be read, and points in them, since this was asked last."""
        with self._changed:
            found, self._unreadable = self._unreadable, (0, 0)
            return found

    def reach(self) -> None:
        """Tell those who wait for what was put before them, and need not any more."""
        with self._changed:
            self._reach()
            self._changed.notify_all()

    def _reach(self) -> None:
        while self._markers and self._markers[0][0] < self._serials.low:
            self._markers.popleft()[1].reached.set()

    def owed_bytes(self) -> int:
        """Bytes of the request whose answer is next; 0 when none is."""
        with self._changed:
            return self._to_send.owed_bytes

    def silent_seconds(self) -> float:
        """How long the stream has owed an answer and given none; 0 when it owes none."""
        with self._changed:
            return self._to_send.silent_seconds
