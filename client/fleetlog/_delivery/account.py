"""What was lost or refused: counted, warned about and, where that can be, told to the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.sent import Sent
from fleetlog._events.items import Fact, Item, Writer
from fleetlog.errors import FleetlogError


class Refusals(Protocol):
    """What takes note of what the server does not take."""

    def refused(self, error: FleetlogError) -> None:
        """One event, which the gateway recorded on its run."""
        ...

    def missing(self, sent: Sent, error: FleetlogError) -> None:
        """Events before the frame, which neither the server nor this client has."""
        ...

    def set_aside(self, sent: Sent, error: FleetlogError) -> None:
        """A frame that the server will never take."""
        ...

    def unreadable(self, frames: int, points: int) -> None:
        """Frames that were in the journal alone, which can't be read any more."""
        ...


class Account:
    """The losses of one delivery. `warn` takes a kind of warning, and its text."""

    def __init__(self, outbox: Outbox, warn: Callable[[str, str], None]) -> None:
        self._outbox = outbox
        self._warn = warn
        self.refused_events = 0
        self.lost_points = 0

    def full(self, points: int) -> None:
        """Points that were not taken because the outbox is full; the run is told by it."""
        self.lost_points += points
        self._warn("full", f"the buffer is full: {self.lost_points:,} points were lost; is the server reachable?")

    def not_framed(self, writer: Writer, items: Sequence[Item], error: Exception) -> None:
        """Items of a writer of which no frame can be made: it can't be told to its run either."""
        points, facts = sum(item.points for item in items), sum(isinstance(item, Fact) for item in items)
        self.lost_points += points
        self.refused_events += facts
        self._warn(
            f"framing:{writer.run_id.hex()}",
            f"run {writer.run_id.hex()}: nothing of it can be encoded, {points:,} points and {facts:,} other events are"
            f" lost at first: {error!r:.200}",
        )

    def refused(self, error: FleetlogError) -> None:
        """One event, which the gateway recorded on the run."""
        self.refused_events += 1
        self._warn(error.reason, f"an event was refused and recorded on the run: {error.message}")

    def missing(self, sent: Sent, error: FleetlogError) -> None:
        """Events before the frame, which neither the server nor this client has."""
        expected = error.metadata.get("expected_sequence", "")
        events = sent.frame.events[0].sequence - int(expected) if expected.isdecimal() else 0
        self._outbox.lose(sent.writer, error.reason, events=max(events, 0))

    def unreadable(self, frames: int, points: int) -> None:
        """Frames that were in the journal alone, which can't be read any more; the server tells of the gap."""
        self.lost_points += points
        self._warn("unreadable", f"the journal can't be read: {points:,} points in {frames:,} frames of it are lost")

    def set_aside(self, sent: Sent, error: FleetlogError) -> None:
        """A frame that the server will never take."""
        events = sent.frame.events
        self.refused_events += len(events)
        self.lost_points += sent.points
        self._warn(error.reason, f"{sent.points:,} points of run {sent.writer.run_id.hex()} were refused: {error}")
        others = sum(event.WhichOneof("payload") not in ("metrics_logged", "loss_reported") for event in events)
        # A run that takes nothing more can't be told; and a frame that does nothing but tell is not told of again.
        if error.code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED") and (sent.points or others):
            untold = sum(event.loss_reported.points for event in events)
            self._outbox.lose(sent.writer, error.reason, sent.points + untold, others)
