"""Which runs of some place changed, from look to look.

What is read after a look sees everything before its position, and what is told of the next look is every run of which
anything behind that position can have been seen. So what was read holds on but for those runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set

from fleetlog_query.changes.changed_runs import ChangedRuns, Place
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.sql.as_of import AsOf

MOST = 100_000
"""Maximum changed runs that are known at once; what is older is read as a whole again."""
KEPT_LOOKS = 1_000


class ChangeFeed:
    """Not thread-safe."""

    def __init__(self, place: Place, positions: AppliedPositions, changed_runs: ChangedRuns) -> None:
        self._place = place
        self._positions = positions
        self._changed_runs = changed_runs
        self._position: AsOf | None = None
        self._looks: deque[Set[bytes]] = deque()
        """What the last ones that found something found."""
        self.number = 0
        """Number of looks that found something, this one included."""

    def look(self) -> None:
        """What is read from now on is at least of this moment. TimedOut."""
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
            self._looks.clear()
            self.number += 1
        elif changed:
            self._looks.append(changed)
            self.number += 1
        while len(self._looks) > KEPT_LOOKS or self.size > MOST:
            self._looks.popleft()

    @property
    def size(self) -> int:
        """How many runs of earlier looks are known still."""
        return sum(map(len, self._looks))

    def forget(self) -> None:
        """Nobody will ask for what changed until now."""
        self._looks.clear()

    def since(self, number: int) -> Set[bytes] | None:
        """The runs that changed since the look of a number; None = nobody knows any more."""
        looks = self.number - number
        if looks > len(self._looks):
            return None
        changed: set[bytes] = set()
        return changed.union(*list(self._looks)[len(self._looks) - looks :])


def _goes_on(before: AsOf, now: AsOf) -> bool:
    """True if a position is of the same log and not behind: tables that are made anew may hold less for a while."""
    if len(before.events) != len(now.events):
        return False
    return all(one <= other for one, other in zip(before.events, now.events, strict=True))
