"""Texts of many runs: each text once, and which one a run has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Coded

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Labels:
    """A text for each of many runs, or none: its place among `texts` (each once), -1 for none."""

    codes: npt.NDArray[np.int32]
    texts: Sequence[str]

    @classmethod
    def of(cls, given: Coded, rows: Places, places: Places, length: int) -> Labels:
        """Row rows[i] of what is given is the label of place places[i]."""
        numbers: dict[str, int] = {}
        # A text may stand in what is given more than once.
        of_code = np.array([numbers.setdefault(text, len(numbers)) for text in given.texts], np.int32)
        codes = np.full(length, -1, np.int32)
        codes[places] = of_code[given.codes[rows]]
        return cls(codes, list(numbers))

    def at(self, place: int) -> str | None:
        """The label of a run."""
        code = int(self.codes[place])
        return None if code < 0 else self.texts[code]
