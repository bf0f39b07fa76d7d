"""Frames that have no answer yet."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog.outbox import Marker, Writer


@dataclass
class Sent:
    """One frame, and who waits for it."""

    request: ingest_pb2.AppendEventsRequest
    writer: Writer
    points: int
    markers: list[Marker] = field(default_factory=list)
    refused_streams: int = 0
    """Streams that ended as wrong while this was the first without an answer."""


class InFlight:
    """In the order of their answers. The first ones were sent by the stream there is, the others wait for their turn.

    All calls take the condition that it is made with, and may be made while it is held; who waits for it is told when a
    frame is answered.
    """

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._frames: deque[Sent] = deque()
        self._sent = 0
        self._heard = 0.0
        """When the stream last answered, or began to owe an answer (monotonic)."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def points(self) -> int:
        """Points in them."""
        with self._changed:
            return sum(frame.points for frame in self._frames)

    def add(self, writer: Writer, frame: frame_pb2.Frame) -> None:
        """The next one to send."""
        points = sum(
            len(event.metrics_logged.step_deltas) * len(event.metrics_logged.columns) for event in frame.events
        )
        with self._changed:
            self._frames.append(Sent(ingest_pb2.AppendEventsRequest(frame=frame), writer, points))

    def mark(self, marker: Marker) -> None:
        """The marker is reached when all that is here now has its answers."""
        with self._changed:
            if self._frames:
                self._frames[-1].markers.append(marker)
            else:
                marker.reached.set()

    def begin(self) -> None:
        """A new stream: it sends all of them again."""
        with self._changed:
            self._sent = 0

    def next(self) -> Sent | None:
        """What the stream sends now; None when it sent all."""
        with self._changed:
            if self._sent == len(self._frames):
                return None
            if self._sent == 0:
                self._heard = time.monotonic()
            self._sent += 1
            return self._frames[self._sent - 1]

    def first_sent(self) -> Sent | None:
        """The one whose answer is next."""
        with self._changed:
            return self._frames[0] if self._frames and self._sent else None

    def answered(self) -> Sent:
        """Forget the first one."""
        with self._changed:
            frame = self._frames.popleft()
            self._sent -= 1
            self._heard = time.monotonic()
            self._changed.notify_all()
        return frame

    def silent_seconds(self) -> float:
        """How long the stream has owed an answer and given none; 0 when it owes none."""
        with self._changed:
            return time.monotonic() - self._heard if self._sent > 0 else 0.0
