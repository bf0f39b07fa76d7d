"""The runs of a search in order, as ids alone: a list that stays as it is while runs change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fleetlog_core.ids import ID_BYTES

_SORTABLE = "S16"


@dataclass(frozen=True)
class RunOrder:
    """Ids (V16) in order: of all runs that match, or only the first so many."""

    ids: npt.NDArray[np.void]
    is_whole: bool

    def __len__(self) -> int:
        return len(self.ids)

    def reaches(self, count: int | None) -> bool:
        """True if it has the first `count` runs, or all there are; None = all."""
        return self.is_whole or (count is not None and len(self) >= count)

    def part(self, first: int, count: int) -> list[bytes]:
        """The ids of some places; fewer at the end."""
        data = self.ids[first : first + count].tobytes()
        return [data[place : place + ID_BYTES] for place in range(0, len(data), ID_BYTES)]


@dataclass(frozen=True)
class FirstPage:
    """A first page during which runs changed: it may show these otherwise than they were at its position.

    `settled`: count of the others that it shows, which are the first ones of these in the order as of the position.
    `returned` and `held_back`: the runs that changed, by whether it shows them.
    """

    settled: int
    returned: frozenset[bytes]
    held_back: frozenset[bytes]

    def behind(self, order: RunOrder) -> RunOrder:
        """The runs of an order as of its position that it does not show."""
        unsettled = _among(order.ids, self.returned | self.held_back)
        is_behind = ~unsettled & (np.cumsum(~unsettled) > self.settled)
        return RunOrder(order.ids[is_behind | _among(order.ids, self.held_back)], order.is_whole)


def _among(ids: npt.NDArray[np.void], some: frozenset[bytes]) -> npt.NDArray[np.bool_]:
    wanted = np.frombuffer(b"".join(some), _SORTABLE)
    return np.isin(np.ascontiguousarray(ids).view(_SORTABLE), wanted)
