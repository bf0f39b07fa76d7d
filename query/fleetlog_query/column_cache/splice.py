"""Columns of runs when some of the runs changed or came: what was read of the others stays. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fleetlog_query.column_cache.labels import Places
from fleetlog_query.column_cache.run_ids import Ids

STRETCHES = 8
"""Maximum of stretches of run ids as which what changed is read, with what lies between."""
Stretch = tuple[bytes, bytes]
Element = TypeVar("Element", bound=np.generic)


def ids_of(run_ids: Set[bytes]) -> Ids:
    """Ids in order."""
    return Ids(np.frombuffer(b"".join(sorted(run_ids)), "V16"))


def stretches(ids: Ids, changed: Ids) -> tuple[Stretch, ...] | None:
    """The first and the last changed run of each stretch; None when these hold most of the runs.

    They are cut where most of the other runs are between.
    """
    places = ids.places(changed)
    gaps = np.diff(places)
    cuts = np.sort(np.argsort(gaps, kind="stable")[::-1][: STRETCHES - 1])
    firsts, lasts = np.append(0, cuts + 1), np.append(cuts, len(places) - 1)
    if int((places[lasts] - places[firsts]).sum()) > len(ids) // 2:
        return None
    return tuple((changed.at(first), changed.at(last)) for first, last in zip(firsts, lasts, strict=True))


def with_new(old: Ids, fresh: Ids, changed: Ids) -> Ids:
    """The ids with those that are fresh: of the changed ones. The same object when there is none.

    A run that is seen before it is told of as changed may not be whole yet.
    """
    rows, _ = changed.intersect(fresh)
    came = Ids(fresh.raw[rows])
    known, _ = old.intersect(came)
    new = np.delete(came.raw, known)
    return old if not len(new) else Ids(np.insert(old.raw, old.places(Ids(new)), new))


@dataclass(frozen=True)
class Move:
    """Move from columns of some ids to columns of later ones, of which some changed or came."""

    length: int
    stayed: npt.NDArray[np.bool_] | None
    """True for the later ids that were there before; None = all, at the same places."""
    changed: Places

    @classmethod
    def of(cls, old: Ids, new: Ids, changed: Ids) -> Move | None:
        """None when others came than changed ones."""
        _, places = new.intersect(changed)
        if new is old:
            return cls(len(new), None, places)
        known, _ = old.intersect(changed)
        _, came = new.intersect(Ids(np.delete(changed.raw, known)))
        if len(old) + len(came) != len(new):
            return None
        stayed = np.ones(len(new), bool)
        stayed[came] = False
        return cls(len(new), stayed, places)

    def __call__(self, column: npt.NDArray[Element], empty: float) -> npt.NDArray[Element]:
        """A new column: `empty` for all that changed."""
        if self.stayed is None:
            result = column.copy()
        else:
            result = np.empty(self.length, column.dtype)
            result[self.stayed] = column
        result[self.changed] = empty
        return result
