"""Frames that have no answer yet.

waiting   behind the others: in memory, or in the journal alone when there are too many of them
held      its writer's experiment has no number yet: those of other writers pass it
to send   of these, the first ones were sent by the stream there is; they stay until their answers

A frame gets a serial when it comes. Who waits for what was put before is told when all serials up to there have their
answers.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog._delivery.serials import Serials
from fleetlog._delivery.spilled import Paths, Spilled
from fleetlog._events.items import Marker, Writer
from fleetlog._journal.segments import Place

FRAMES_IN_FLIGHT = 32
SMALL_FRAMES_IN_FLIGHT = 4_096
BYTES_IN_FLIGHT = 4_000_000
"""Frames are small when so many of them have fewer bytes together."""
REQUEST_BYTES = 500_000
"""Frames that are small go together into requests of about this size, as far as the server takes several at once."""
WAITING_BYTES = 16_000_000
"""Bytes of waiting frames that stay in memory; those behind them are in the journal alone, where there is one."""
HELD_BYTES = 32_000_000
"""Bytes of frames that are held; with more of them nothing passes them any more."""
MEMORY_BYTES = 64_000_000
"""Bytes of frames in memory from which on no more are made without a place in the journal."""


@dataclass(slots=True)
class Sent:
    """One frame."""

    frame: frame_pb2.Frame
    writer: Writer
    points: int
    size: int
    """Bytes, encoded."""
    serial: int = 0
    lacks_experiment: bool = False
    """True if the number of its experiment is to be filled in before it is sent."""
    is_journaled: bool = False
    refused_streams: int = 0
    """Streams that ended as wrong while this was the first without an answer."""


def points_of(frame: frame_pb2.Frame) -> int:
    """Points in the metrics of a frame."""
    return sum(len(event.metrics_logged.step_deltas) * len(event.metrics_logged.columns) for event in frame.events)


def request_of(sent: Sequence[Sent]) -> ingest_pb2.AppendEventsRequest:
    """One request of these frames, at least one."""
    request = ingest_pb2.AppendEventsRequest(frame=sent[0].frame)
    request.more_frames.extend(one.frame for one in sent[1:])
    return request


class InFlight:
    """In the order of their answers. The first ones were sent by the stream there is, the others wait for their turn.

    All calls take the condition that it is made with, and may be made while it is held; who waits for it is told when a
    frame comes, and when one is answered. `paths` are the journal's segments from a number on.
    """

    def __init__(
        self, changed: threading.Condition, paths: Paths | None = None, waiting_bytes: int = WAITING_BYTES
    ) -> None:
        self._changed = changed
        self._paths = paths
        self._waiting_bytes = waiting_bytes
        self._frames: deque[Sent] = deque()
        self._waiting: deque[Sent | Spilled] = deque()
        self._held: deque[Sent] = deque()
        self._holding: set[Writer] = set()
        self._serials = Serials()
        self._markers: deque[tuple[int, Marker]] = deque()
        self._sent = 0
        self._size = 0
        self._waiting_size = 0
        self._held_size = 0
        self._points = 0
        self._unjournaled = 0
        self._together = 1
        self._requests: deque[int] = deque()
        """How many frames each request of the stream has that has no answer; 0: it is of heartbeats."""
        self._heard = 0.0
        """When the stream last answered, or began to owe an answer (monotonic)."""
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
        frames = len(self._frames)
        return frames >= SMALL_FRAMES_IN_FLIGHT or (frames >= FRAMES_IN_FLIGHT and self._size >= BYTES_IN_FLIGHT)

    @property
    def wants_more(self) -> bool:
        """True if the stream could send more than there is: the rest may stay unframed for as long as it can't."""
        unsent = len(self._frames) - self._sent
        return not unsent and not self._waiting and not self.full and self._held_size < HELD_BYTES

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
        return self._size + self._waiting_size + self._held_size

    def hold(self, writer: Writer) -> None:
        """Hold back the writer's frames, until `release`; those of others pass them."""
        with self._changed:
            self._holding.add(writer)

    def release(self, writer: Writer) -> None:
        """Let the writer's frames be sent, in their order, with the number that its experiment has now."""
        with self._changed:
            if writer not in self._holding:
                return
            self._holding.discard(writer)
            held, self._held = self._held, deque()
            self._held_size = 0
            for sent in held:
                self._put(sent)
            self._changed.notify_all()

    def holds(self, writer: Writer) -> bool:
        """True if the writer's frames are held back."""
        return writer in self._holding

    def extend(
        self,
        made: Sequence[tuple[Writer, frame_pb2.Frame] | Marker],
        place: Place | None = None,
        lacking: frozenset[Writer] = frozenset(),
    ) -> None:
        """The next ones, all or none; a marker is reached when what is before it has its answers.

        `place` is where the journal has them. Frames of the writers in `lacking` lack their experiment's number.
        """
        frames = [
            Sent(
                frame, writer, points_of(frame), frame.ByteSize(),
                lacks_experiment=writer in lacking, is_journaled=place is not None,
            )
            for writer, frame in (one for one in made if not isinstance(one, Marker))
        ]  # fmt: skip
        with self._changed:
            first = self._serials.give(len(frames))
            number = first
            for one in made:
                if isinstance(one, Marker):
                    self._markers.append((number - 1, one))
                else:
                    number += 1
            for number, sent in enumerate(frames, first):
                sent.serial = number
            self._points += sum(sent.points for sent in frames)
            self._unjournaled += 0 if place else len(frames)
            if frames and place is not None and self._paths is not None and self._must_spill():
                self._spill(frames, place, self._paths)
            elif self._waiting or self.full:
                self._waiting.extend(frames)
                self._waiting_size += sum(sent.size for sent in frames)
            else:
                for sent in frames:
                    self._put(sent)
            self._reach()
            self._changed.notify_all()

    def _must_spill(self) -> bool:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, Spilled):
            return True
        return self._waiting_size >= self._waiting_bytes or self._held_size >= HELD_BYTES

    def _spill(self, frames: Sequence[Sent], place: Place, paths: Paths) -> None:
        last = self._waiting[-1] if self._waiting else None
        if not isinstance(last, Spilled):
            last = Spilled(place, frames[0].serial, paths)
            self._waiting.append(last)
        last.extend([sent.writer for sent in frames], sum(sent.points for sent in frames))

    def _put(self, sent: Sent) -> None:
        """Behind those that are to be sent, or among those that are held."""
        if sent.writer in self._holding:
            self._held.append(sent)
            self._held_size += sent.size
            return
        if sent.lacks_experiment:
            fill_in(sent)
        self._frames.append(sent)
        self._size += sent.size

    def _refill(self) -> None:
        """Have enough to send for one request, of what waits."""
        size = 0
        while self._waiting and not self.full and self._held_size < HELD_BYTES and size < REQUEST_BYTES:
            first = self._waiting[0]
            if isinstance(first, Spilled):
                sent = self._read_back(first)
                if sent is None:
                    continue
            else:
                self._waiting.popleft()
                self._waiting_size -= first.size
                sent = first
            self._put(sent)
            size += sent.size

    def _read_back(self, spilled: Spilled) -> Sent | None:
        """The first frame of a stretch of the journal; None when nothing is left of it that can be read."""
        if spilled.count and (read := spilled.read()) is not None:
            writer, logged, frame = read
            points = points_of(frame)
            spilled.points -= points
            return Sent(
                frame, writer, points, len(logged.frame), spilled.next_serial - 1, bool(logged.experiment),
                is_journaled=True,
            )  # fmt: skip
        self._waiting.popleft()
        frames, lost = self._unreadable
        self._unreadable = (frames + spilled.count, lost + spilled.points)
        self._points -= spilled.points
        for serial in range(spilled.next_serial, spilled.next_serial + spilled.count):
            self._serials.answered(serial)
        self._reach()
        return None

    def begin(self) -> None:
        """A new stream: it sends all of them again, one by one until its server says that it takes several."""
        with self._changed:
            self._sent = 0
            self._together = 1
            self._requests.clear()

    def allow(self, frames: int) -> None:
        """The stream's server takes so many frames in one request."""
        with self._changed:
            self._together = frames

    def next(self) -> list[Sent]:
        """What the stream sends now, in one request; none when it sent all. OSError: the journal can't be read now."""
        with self._changed:
            found: list[Sent] = []
            if len(self._frames) - self._sent < max(self._together, 1):
                self._refill()
            if self._sent == len(self._frames):
                return found
            if self._sent == 0:
                self._heard = time.monotonic()
            size = 0
            for sent in islice(self._frames, self._sent, self._sent + max(self._together, 1)):
                size += sent.size
                if found and size > REQUEST_BYTES:
                    break
                found.append(sent)
            self._sent += len(found)
            self._requests.append(len(found))
            return found

    def add_heartbeats(self) -> bool:
        """The stream sends a request of heartbeats; False when the one before has no answer yet."""
        with self._changed:
            if 0 in self._requests:
                return False
            if not self._requests:
                self._heard = time.monotonic()
            self._requests.append(0)
            return True

    def next_answer(self) -> int:
        """A request has its answer: how many frames, the first ones here, it speaks of."""
        with self._changed:
            self._heard = time.monotonic()
            return self._requests.popleft()

    def first_sent(self) -> Sent | None:
        """The one whose answer is next."""
        with self._changed:
            return self._frames[0] if self._frames and self._sent else None

    def oldest(self, count: int) -> list[Sent]:
        """The first ones."""
        with self._changed:
            return list(islice(self._frames, count))

    def answered(self) -> Sent:
        """Forget the first one."""
        with self._changed:
            sent = self._frames.popleft()
            self._sent -= 1
            self._size -= sent.size
            self._points -= sent.points
            self._unjournaled -= not sent.is_journaled
            self._heard = time.monotonic()
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
            frames = self._requests[0] if self._requests else 0
            return sum(sent.size for sent in islice(self._frames, frames))

    def silent_seconds(self) -> float:
        """How long the stream has owed an answer and given none; 0 when it owes none."""
        with self._changed:
            return time.monotonic() - self._heard if self._sent > 0 or 0 in self._requests else 0.0


def fill_in(sent: Sent) -> None:
    """Give the frame the number of its writer's experiment."""
    sent.lacks_experiment = False
    for event in sent.frame.events:
        if event.HasField("run_started") and sent.writer.experiment_id is not None:
            event.run_started.experiment_id = sent.writer.experiment_id
