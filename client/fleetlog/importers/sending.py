"""Frames of an import on their way to the server: sent in order, with room waited for, each until it has its answer.

No journal: the source is one, and what has no answer is read from it again by the next import.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from fleetlog_core.ids import ID_BYTES
from fleetlog_proto.v1 import frame_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.sent import Sent
from fleetlog._events.framing import Framer
from fleetlog._events.items import Fact, Writer
from fleetlog._transport.connection import Connection
from fleetlog.errors import DeadlineExceeded, FleetlogError
from fleetlog.importers.source import Unread

PATIENCE_SECONDS = 120.0
"""Longest wait for a server that takes nothing."""


class Sender:
    """Sends events of an import. Used from one thread; `close` at the end."""

    def __init__(self, connection: Connection, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._delivery = Delivery(connection, refusals=self, forgotten=self._answered)
        self._framer = Framer()
        self._lock = threading.Lock()
        self._heard = time.monotonic()
        self._refused: list[Unread] = []
        self.acknowledged_points = 0
        self.sent_frames = 0
        self._answered_frames = 0

    def send(self, writer: Writer, facts: Sequence[Fact]) -> None:
        """Send events of one writer, behind everything before. DeadlineExceeded: the server takes nothing."""
        for one in self._framer.frames(facts):
            if not isinstance(one, tuple):
                continue
            if not self._delivery.has_room():
                self._wait(self._delivery.has_room)
            self.sent_frames += 1
            self._delivery.send_again([one])

    def finish(self) -> None:
        """Wait until all of it has its answers. DeadlineExceeded: the server takes nothing."""
        self._wait(lambda: self._answered_frames >= self.sent_frames)

    def close(self) -> None:
        """End the stream; what has no answer is not sent any more."""
        self._delivery.close()

    def take_refused(self) -> list[Unread]:
        """Returns what the server refused since this was asked last."""
        with self._lock:
            found, self._refused = self._refused, []
        return found

    def refused(self, error: FleetlogError) -> None:
        """One event, which the gateway recorded on its run."""
        self._refuse("the server", f"an event was refused, which its run tells of: {error.message}", 1)

    def missing(self, sent: Sent, error: FleetlogError) -> None:
        """Events before the frame, which the server has not."""
        self._refuse(f"run {_run(sent.frame)}", f"events before one are missing: {error.message}", 1)

    def set_aside(self, sent: Sent, error: FleetlogError) -> None:
        """A frame that the server will never take."""
        with self._lock:
            # It is counted with those that have their answers.
            self.acknowledged_points -= sent.points
        self._refuse(f"run {_run(sent.frame)}", f"the server refused it: {error.message}", max(sent.points, 1))

    def unreadable(self, frames: int, points: int) -> None:
        """Never: nothing is in a journal."""

    def _refuse(self, where: str, why: str, count: int) -> None:
        with self._lock:
            self._refused.append(Unread(where, why, count=count))

    def _answered(self, frames: Sequence[Sent]) -> None:
        with self._lock:
            self._heard = time.monotonic()
            self._answered_frames += len(frames)
            self.acknowledged_points += sum(sent.points for sent in frames)

    def _wait(self, condition: Callable[[], bool]) -> None:
        begun = time.monotonic()
        while not self._delivery.wait(condition, 0.5):
            if time.monotonic() - max(begun, self._heard) > self._patience_seconds:
                raise DeadlineExceeded(
                    "NOT_DURABLE",
                    f"the server took nothing for {self._patience_seconds:.0f} s; what it has stays: import again when"
                    " it takes events, which goes on where this stopped",
                )


def _run(frame: frame_pb2.Frame) -> str:
    return frame.run_id[:ID_BYTES].hex()
