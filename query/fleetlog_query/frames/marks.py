"""Which stretches of run ids changed between two looks at `run_changes`. Pure but for the look."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Statement

from fleetlog_query.binds import Binds
from fleetlog_query.facets.segments import Span
from fleetlog_query.series_rows import Select

SPANS = 8
"""What changed is read as so many stretches at most, with what lies between."""
Whole = npt.NDArray[np.uint64]


def _none() -> Whole:
    return np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True)
class Marks:
    """For each slot in which a run ever changed, ascending: a number that every change of one changes."""

    slots: Whole = field(default_factory=_none)
    changes: Whole = field(default_factory=_none)

    def changed(self, before: Marks) -> list[Span]:
        """Where runs may have changed since `before`, ascending."""
        if self is before:
            return []
        slots = np.union1d(self.slots, before.slots)
        slots = slots[self._at(slots) != before._at(slots)]
        if not len(slots):
            return []
        gaps = np.diff(slots)
        cuts = np.sort(np.argsort(gaps, kind="stable")[::-1][: SPANS - 1])
        cuts = cuts[gaps[cuts] > 1]
        firsts = [slots[0], *slots[cuts + 1]]
        lasts = [*slots[cuts], slots[-1]]
        return [Span(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]

    def _at(self, slots: Whole) -> Whole:
        """The numbers of slots, 0 where none is known. The chance that a number is 0 is that of a collision."""
        found = np.zeros(len(slots), np.uint64)
        if len(self.slots):
            places = np.minimum(np.searchsorted(self.slots, slots), len(self.slots) - 1)
            known = self.slots[places] == slots
            found[known] = self.changes[places[known]]
        return found


def read_marks(select: Select, namespace: str) -> Marks:
    """As they are now. What is read afterwards may be newer, and never older."""
    binds = Binds()
    sql = (
        f"SELECT slot, sum(changes) AS c FROM run_changes WHERE namespace = {binds.text(namespace)}"
        " GROUP BY slot ORDER BY slot"
    )
    answer = select(Statement(sql, binds.values))
    return Marks(answer.array("slot").astype(np.uint64), answer.array("c").astype(np.uint64))
