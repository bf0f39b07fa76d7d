"""What became of a journal that was delivered again, and what the server refused of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetlog._delivery.sent import Sent
from fleetlog._journal.records import LoggedFrame
from fleetlog._journal.set_aside import SetAside
from fleetlog.errors import FleetlogError


@dataclass
class Report:
    """What became of a journal."""

    frames: int = 0
    points: int = 0
    files: int = 0
    runs: set[bytes] = field(default_factory=set)
    set_aside_frames: int = 0
    set_aside_points: int = 0
    refused_events: int = 0
    """Events that the server refused by themselves, which it recorded on their runs."""
    problems: list[str] = field(default_factory=list)
    """What was not delivered, and why, a line each."""
    removed: bool = False
    """True if nothing is left of it, but for what was set aside."""


class SetAsideRefusals:
    """What the server refuses of a journal. In place of a process's own account: the run's writer is dead."""

    def __init__(self, aside: SetAside, report: Report) -> None:
        self._aside = aside
        self._report = report
        self.failure: OSError | None = None
        """Why a frame could not be set aside."""

    def refused(self, error: FleetlogError) -> None:
        """One event, which the gateway recorded on the run."""
        self._report.refused_events += 1

    def missing(self, sent: Sent, error: FleetlogError) -> None:
        """Events before the frame, which neither the server nor this journal has."""
        run, first = sent.frame.run_id.hex(), sent.frame.events[0].sequence
        self._report.problems.append(f"run {run}: events before number {first:,} of a writer are missing")

    def unreadable(self, frames: int, points: int) -> None:
        """Never: nothing is read back."""

    def set_aside(self, sent: Sent, error: FleetlogError) -> None:
        """A frame that the server will never take."""
        frame, report = sent.frame, self._report
        reason = {
            "run_id": frame.run_id.hex(), "writer_id": frame.writer_id.hex(), "namespace": frame.namespace,
            "first_sequence": frame.events[0].sequence, "last_sequence": frame.events[-1].sequence,
            "points": sent.points, "reason": error.reason, "message": str(error),
        }  # fmt: skip
        # It will be counted with those that have their answers.
        report.frames -= 1
        report.points -= sent.points
        try:
            self._aside.add(LoggedFrame("", frame.SerializeToString()), reason)
        except OSError as failure:
            self.failure = failure
            return
        report.set_aside_frames += 1
        report.set_aside_points += sent.points
        report.problems.append(f"run {frame.run_id.hex()}: {sent.points:,} points are set aside: {error}")
