"""Texts of many runs: each text once, and which one a run has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Labels:
    """A text for each of many runs, or none: its place among `texts` (each once), -1 for none."""

    codes: npt.NDArray[np.int32]
    texts: Sequence[str]

    def at(self, place: int) -> str | None:
        """The label of a run."""
        code = int(self.codes[place])
        return None if code < 0 else self.texts[code]
