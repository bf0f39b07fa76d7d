"""What all workers of a process found together while they were at work: written by them, read by who reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleetlog_proto.v1 import position_pb2

from fleetlog.loadtest.report import Report

Offsets = dict[tuple[str, int], int]
"""Next offset by topic and partition."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A step that was acknowledged last."""

    run_id: bytes
    rank: int | None
    step: int
    when: float
    position: position_pb2.Position
    """Where the log has it."""


class Tally:
    """Counts of a load, and the positions that it came to. Used by one loop; `clock` counts seconds."""

    def __init__(self, report: Report, clock: Callable[[], float], late_seconds: float) -> None:
        self.report = report
        self.clock = clock
        self._late_seconds = late_seconds
        self.position: Offsets = {}
        """Everything that was acknowledged is before it."""
        self.last: Acknowledged | None = None
        self.working = 0
        """Workers that have begun and not ended."""
        self._unread: dict[tuple[str, int], deque[tuple[int, float, int]]] = {}
        """Steps that may not be readable yet, by partition: next offset, when acknowledged, and their points."""

    def acknowledged(self, position: position_pb2.Position, one: Acknowledged, points: int) -> None:
        """A request was acknowledged; `points` of it in steps that were due."""
        self.report.durable_points += points
        if points:
            self.last = one
        for entry in position.offsets:
            key = entry.topic, entry.partition
            self.position[key] = max(self.position.get(key, 0), entry.next_offset)
            if points:
                self._unread.setdefault(key, deque()).append((entry.next_offset, one.when, points))

    def applied(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Everything before these offsets can be read now."""
        now = self.clock()
        for key, waiting in self._unread.items():
            reached = offsets.get(key, 0)
            # Answers of streams cross: the first is not always the lowest offset, and waits for it then.
            while waiting and waiting[0][0] <= reached:
                _, when, points = waiting.popleft()
                self.report.readable_by.add(now - when)
                if now - when > self._late_seconds:
                    self.report.late_points += points

    def close(self) -> None:
        """Count what never was seen to be readable as late."""
        for waiting in self._unread.values():
            self.report.late_points += sum(points for _, _, points in waiting)
            waiting.clear()

    @property
    def unread_steps(self) -> int:
        """Acknowledged steps that are not known to be readable."""
        return sum(map(len, self._unread.values()))


def offsets_of(position: position_pb2.Position) -> Offsets:
    """The offsets of a message."""
    return {(entry.topic, entry.partition): entry.next_offset for entry in position.offsets}
