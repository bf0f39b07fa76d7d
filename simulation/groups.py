"""A consumer group of a world's log: who has which partition. Whoever is silent for long has none."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.log.port import Partition

from simulation.kernel import Fiber, Kernel

SESSION_SECONDS = 10.0
"""Time without a poll after which a member's partitions go to others."""


class Seat:
    """One member, as the group sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.owned: dict[Partition, int] = {}
        """Its partitions, each with the number of the assignment by which it came."""
        self.heard_at = 0.0
        self.waiting: Fiber | None = None


class Group:
    """Members in the order in which they came."""

    def __init__(self, kernel: Kernel, name: str, partitions: Sequence[Partition]) -> None:
        self._kernel = kernel
        self._name = name
        self._partitions = list(partitions)
        self._seats: list[Seat] = []
        self._assignments = 0

    def heard(self, seat: Seat) -> None:
        """A member polls: it is there, also when it was taken for gone. Others that are silent are gone."""
        now = self._kernel.now
        seat.heard_at = now
        gone = [one for one in self._seats if now - one.heard_at > SESSION_SECONDS]
        if seat in self._seats and not gone:
            return
        for one in gone:
            self._seats.remove(one)
            one.owned = {}
        if seat not in self._seats:
            self._seats.append(seat)
        self._share()

    def leave(self, seat: Seat) -> None:
        """A member goes."""
        if seat in self._seats:
            self._seats.remove(seat)
            seat.owned = {}
            self._share()

    def wake(self) -> None:
        """There are records: whoever waits looks again."""
        for seat in self._seats:
            if seat.waiting is not None:
                self._kernel.wake(seat.waiting)

    def _share(self) -> None:
        self._assignments += 1
        for place, seat in enumerate(self._seats):
            mine = self._partitions[place :: len(self._seats)]
            seat.owned = {one: seat.owned.get(one, self._assignments) for one in mine}
            told = ", ".join(map(str, mine))
            self._kernel.history.add(seat.name, f"has in {self._name}: {told or 'nothing'}")
        self.wake()
