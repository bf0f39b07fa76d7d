"""How often writers that send nothing say that they live, and how long a gateway gathers what they say. Pure.

A run is lost after `lost_seconds` without a word in the log. A third of it between two heartbeats, and a twentieth in
which they are gathered, leave time for one that is lost on the way, and for a gateway that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fleetlog_core.limits import LOST_SECONDS

MOST_QUIET_SECONDS = 100
"""Also where runs are lost later, or never: a run that was lost is running again after the next word of its writers."""
MOST_GATHER_SECONDS = 15.0
LEAST_GATHER_SECONDS = 0.25


def quiet_seconds(lost_seconds: float) -> int:
    """Seconds that a writer may send nothing; `lost_seconds` 0 = its runs are never lost."""
    return max(1, min(MOST_QUIET_SECONDS, int(lost_seconds / 3))) if lost_seconds else MOST_QUIET_SECONDS


def gather_seconds(lost_seconds: float) -> float:
    """Seconds that its heartbeat may wait for others, until the log has it."""
    if not lost_seconds:
        return MOST_GATHER_SECONDS
    return max(LEAST_GATHER_SECONDS, min(MOST_GATHER_SECONDS, lost_seconds / 20))


class HeartbeatPace:
    """Pace of one gateway. `lost_seconds` says for a namespace after how long a run is lost; 0 = never."""

    def __init__(self, lost_seconds: Callable[[str], float] = lambda namespace: LOST_SECONDS) -> None:
        self._lost_seconds = lost_seconds

    def quiet_seconds(self, namespaces: Iterable[str]) -> int:
        """Seconds that writers of these may send nothing."""
        return min((quiet_seconds(self._lost_seconds(one)) for one in namespaces), default=MOST_QUIET_SECONDS)

    def gather_seconds(self, namespaces: Iterable[str]) -> float:
        """Seconds that their heartbeats may wait for others."""
        return min((gather_seconds(self._lost_seconds(one)) for one in namespaces), default=MOST_GATHER_SECONDS)
