"""Frames that have no answer yet."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog._events.items import Marker, Writer

FRAMES_IN_FLIGHT = 32
SMALL_FRAMES_IN_FLIGHT = 4_096
BYTES_IN_FLIGHT = 4_000_000
"""Frames are small when so many of them have fewer bytes together."""
REQUEST_BYTES = 500_000
"""Frames that are small go together into requests of about this size, as far as the server takes several at once."""


@dataclass
class Sent:
    """One frame, and who waits for it."""

    frame: frame_pb2.Frame
    writer: Writer
    points: int
    size: int
    """Bytes, encoded."""
    markers: list[Marker] = field(default_factory=list)
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
    frame is answered.
    """

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._frames: deque[Sent] = deque()
        self._sent = 0
        self._size = 0
        self._together = 1
        self._requests: deque[int] = deque()
        """How many frames each request of the stream has that has no answer."""
        self._heard = 0.0
        """When the stream last answered, or began to owe an answer (monotonic)."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def points(self) -> int:
        """Points in them."""
        with self._changed:
            return sum(frame.points for frame in self._frames)

    @property
    def full(self) -> bool:
        """Whether enough of them are under way."""
        frames = len(self._frames)
        return frames >= SMALL_FRAMES_IN_FLIGHT or (frames >= FRAMES_IN_FLIGHT and self._size >= BYTES_IN_FLIGHT)

    @property
    def size(self) -> int:
        """Bytes in them."""
        return self._size

    def extend(self, made: Sequence[tuple[Writer, frame_pb2.Frame] | Marker]) -> None:
        """The next ones to send, all or none; a marker is reached when what is before it has its answers."""
        added: list[Sent] = []
        reached: list[Marker] = []
        size = 0
        with self._changed:
            for one in made:
                if not isinstance(one, Marker):
                    writer, frame = one
                    added.append(Sent(frame, writer, points_of(frame), frame.ByteSize()))
                    size += added[-1].size
                elif added:
                    added[-1].markers.append(one)
                elif self._frames:
                    self._frames[-1].markers.append(one)
                else:
                    reached.append(one)
            self._frames.extend(added)
            self._size += size
        for marker in reached:
            marker.reached.set()

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
        """What the stream sends now, in one request; none when it sent all."""
        with self._changed:
            found: list[Sent] = []
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

    def next_answer(self) -> int:
        """A request has its answer: how many frames, the first ones here, it speaks of."""
        with self._changed:
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
            frame = self._frames.popleft()
            self._sent -= 1
            self._size -= frame.size
            self._heard = time.monotonic()
            self._changed.notify_all()
        return frame

    def owed_bytes(self) -> int:
        """Bytes of the request whose answer is next; 0 when none is."""
        with self._changed:
            frames = self._requests[0] if self._requests else 0
            return sum(sent.size for sent in islice(self._frames, frames))

    def silent_seconds(self) -> float:
        """How long the stream has owed an answer and given none; 0 when it owes none."""
        with self._changed:
            return time.monotonic() - self._heard if self._sent > 0 else 0.0
