"""Digests of series that do not depend on the order of their points: what two stores of them are compared by. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleetlog.importers.source import Points

_NAN = np.float64(np.nan).view(np.uint64)
_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
U64 = npt.NDArray[np.uint64]


@dataclass(slots=True)
class SeriesDigest:
    """Number of points, and sums of hashes of their steps, values and times."""

    count: int = 0
    points: int = 0
    """Sum over steps and values."""
    times: int = 0
    """Sum over steps, values and times."""

    def add(self, points: Points) -> None:
        """Take points. A NaN is as any other."""
        with np.errstate(over="ignore"):
            steps = points.steps.astype(np.int64).view(np.uint64)
            values = points.values.astype(np.float64).view(np.uint64)
            values = np.where(np.isnan(points.values), _NAN, values)
            mixed = _mixed(_mixed(steps * np.uint64(_ODD[0])) + values)
            timed = _mixed(mixed + points.times.astype(np.int64).view(np.uint64) * np.uint64(_ODD[1]))
            self.count += len(steps)
            self.points = (self.points + int(mixed.sum(dtype=np.uint64))) % 2**64
            self.times = (self.times + int(timed.sum(dtype=np.uint64))) % 2**64


def _mixed(numbers: U64) -> U64:
    """A hash of each number, by the last steps of MurmurHash3."""
    numbers = numbers ^ (numbers >> np.uint64(33))
    numbers = numbers * np.uint64(0xFF51AFD7ED558CCD)
    numbers = numbers ^ (numbers >> np.uint64(33))
    numbers = numbers * np.uint64(0xC4CEB9FE1A85EC53)
    return numbers ^ (numbers >> np.uint64(33))
