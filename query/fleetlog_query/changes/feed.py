"""Which runs of a place changed, from one moment to the next.

What is read after `advance` sees everything before its position, and the next one tells every run of which anything
behind that position can have been seen. So what was read holds on but for those runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set

from fleetlog_query.changes.changed_runs import ChangedRuns, Place
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.sql.as_of import AsOf

MOST = 100_000
"""Maximum changed runs that are known at once; what is older is read as a whole again."""
KEPT_GENERATIONS = 1_000


class ChangeFeed:
    """Feed of one place. Not thread-safe."""

    def __init__(self, place: Place, positions: AppliedPositions, changed_runs: ChangedRuns) -> None:
        self._place = place
        self._positions = positions
        self._changed_runs = changed_runs
        self._position: AsOf | None = None
        self._changed: deque[Set[bytes]] = deque()
        """Runs that changed, by generation: the last ones."""
        self.generation = 0
        """Count of the moments at which something was found to have changed."""

    def advance(self) -> None:
        """Advance: what is read from now on is at least of this moment. TimedOut."""
        position = self._positions.now()
        before = self._position
        changed: Set[bytes] | None = set()
        if before is not None and _goes_on(before, position):
            touched = self._changed_runs.since(self._place, before)
            changed = None if touched is None else touched.keys()
        elif before is not None:
            changed = None
        self._position = position
        if changed is None:
            self._changed.clear()
            self.generation += 1
        elif changed:
            self._changed.append(changed)
            self.generation += 1
        while len(self._changed) > KEPT_GENERATIONS or self.size > MOST:
            self._changed.popleft()

    @property
    def size(self) -> int:
        """Count of runs that are known to have changed, once for each generation."""
        return sum(map(len, self._changed))

    def forget(self) -> None:
        """Nobody will ask for what changed until now."""
        self._changed.clear()

    def since(self, generation: int) -> Set[bytes] | None:
        """The runs that changed since a generation; None = nobody knows any more."""
        newer = self.generation - generation
        if newer > len(self._changed):
            return None
        changed: set[bytes] = set()
        return changed.union(*list(self._changed)[len(self._changed) - newer :])


def _goes_on(before: AsOf, now: AsOf) -> bool:
    """True if a position is of the same log and not behind: tables that are made anew may hold less for a while."""
    if len(before.events) != len(now.events):
        return False
    return all(one <= other for one, other in zip(before.events, now.events, strict=True))
