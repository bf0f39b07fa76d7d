"""Numbers of runs, of which the foremost are found in no time. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleetlog_query.selection.meet import Ids, Places

FOREMOST = 8_192
"""So many are kept in order, from either end."""
Real = npt.NDArray[np.float64]


class LeadingColumn:
    """A number for each of the ids; neither is ever written to. Used from many threads."""

    def __init__(self, ids: Ids, values: Real) -> None:
        self.ids = ids
        self._values = values
        self._ends: dict[bool, Places] = {}

    @property
    def size_bytes(self) -> int:
        """Without the ids."""
        return self._values.nbytes + sum(end.nbytes for end in self._ends.values())

    def foremost(self, count: int, *, descending: bool, bound: float | None) -> dict[bytes, float]:
        """The `count` lowest, or highest, in order, of those at `bound` or behind it; fewer: there are no more."""
        end = self._ends.get(descending)
        if end is None:
            # Two that come at once find the same.
            end = self._ends[descending] = _first(self._ranks(descending), FOREMOST)
        begin = 0
        if bound is not None:
            begin = int(np.searchsorted(self._ranks(descending, end), -bound if descending else bound))
        places = end[begin : begin + count]
        if len(places) < count and len(end) == FOREMOST:
            ranks = self._ranks(descending)
            if bound is not None:
                ranks = np.where(ranks >= (-bound if descending else bound), ranks, np.nan)
            places = _first(ranks, count)
        return {self.ids.at(place): float(self._values[place]) for place in places.tolist()}

    def _ranks(self, descending: bool, places: Places | None = None) -> Real:
        values = self._values if places is None else self._values[places]
        return -values if descending else values


def _first(ranks: Real, count: int) -> Places:
    """The places of the lowest, in order. NaN comes behind all numbers: it stands for what is left out."""
    first = np.argpartition(ranks, count)[:count] if len(ranks) > count else np.arange(len(ranks))
    first = first[~np.isnan(ranks[first])]
    return first[np.argsort(ranks[first], kind="stable")]
