"""Columns of different reads meet by run id. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Answer

from fleetlog_query.column_cache.labels import Places

_ALIKE = 16
"""Maximum ids that begin with the same 8 bytes, which hold their time; ids that somebody made up may be more alike."""
_FEW = 64
"""Maximum of ids that are looked up one by one: quicker than to take all ids apart into words."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Run ids (V16) in ascending order, each once."""

    raw: npt.NDArray[np.void]

    @classmethod
    def of(cls, answer: Answer) -> Ids:
        """Ids of a column run_id in ascending order."""
        return cls(answer.array("run_id") if answer.rows else np.empty(0, "V16"))

    def __len__(self) -> int:
        return len(self.raw)

    def at(self, place: int) -> bytes:
        """One of them."""
        return bytes(self.raw[place].tobytes())

    def intersect(self, others: Ids) -> tuple[Places, Places]:
        """Places of the others that are here too: their places there, and the same ones' places here."""
        if len(self) == len(others) and self.raw.tobytes() == others.raw.tobytes():
            return np.arange(len(self)), np.arange(len(self))
        if not len(self) or not len(others):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        if len(others) * _FEW < len(self):
            return self._looked_up(others)
        (high, low), (other_high, other_low) = _words(self.raw), _words(others.raw)
        begins = np.searchsorted(high, other_high)
        ends = np.searchsorted(high, other_high, side="right")
        most = int((ends - begins).max())
        if most > _ALIKE:
            return self._looked_up(others)
        places = np.full(len(others), -1, np.intp)
        for step in range(most):
            tried = np.flatnonzero(begins + step < ends)
            same = low[begins[tried] + step] == other_low[tried]
            places[tried[same]] = begins[tried[same]] + step
        rows = np.flatnonzero(places >= 0)
        return rows, places[rows]

    def places(self, others: Ids) -> Places:
        """Before which of these each of the others is, or which one it is."""
        return np.searchsorted(self.raw.view("S16"), others.raw.view("S16"))

    def _looked_up(self, others: Ids) -> tuple[Places, Places]:
        places = np.minimum(self.places(others), len(self) - 1)
        rows = np.flatnonzero(self.raw.view("S16")[places] == others.raw.view("S16"))
        return rows, places[rows]


def _words(raw: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    words = np.frombuffer(raw.tobytes(), ">u8").reshape(-1, 2).astype(np.uint64)
    return words[:, 0], words[:, 1]
