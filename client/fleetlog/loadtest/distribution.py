"""Many durations in little memory: counts of ranges a hundredth wide, which add up over machines. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

WIDTH = 0.01
"""Width of a range, as a part of its lower end: a quantile is at most so much above the value that it stands for."""
LEAST = 1e-6
"""Seconds. What takes less counts as this."""
_LOG_WIDTH = math.log1p(WIDTH)


class Distribution:
    """Durations in seconds, as counts."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        """How many there are."""
        self.total = 0.0
        """Sum of them, seconds."""
        self.max = 0.0
        """The longest, exactly."""

    def add(self, seconds: float, count: int = 1) -> None:
        """One, or several of the same. Negative ones, of clocks that were set back, count as none."""
        seconds = max(seconds, LEAST)
        place = math.ceil(math.log(seconds / LEAST) / _LOG_WIDTH)
        self._counts[place] = self._counts.get(place, 0) + count
        self.count += count
        self.total += seconds * count
        self.max = max(self.max, seconds)

    def quantile(self, share: float) -> float:
        """The duration below which that share (0 to 1) of them are, never less than it is; 0 of none."""
        rank = max(1, math.ceil(share * self.count))
        seen = 0
        for place in sorted(self._counts):
            seen += self._counts[place]
            if seen >= rank:
                return min(self.max, LEAST * (1 + WIDTH) ** place)
        return self.max

    @property
    def mean(self) -> float:
        """Mean, seconds; 0 of none."""
        return self.total / self.count if self.count else 0.0

    def merge(self, other: Distribution) -> None:
        """Add those of another one."""
        for place, count in other._counts.items():
            self._counts[place] = self._counts.get(place, 0) + count
        self.count += other.count
        self.total += other.total
        self.max = max(self.max, other.max)

    def to_dict(self) -> dict[str, Any]:
        """Count, mean and quantiles in milliseconds for who reads it, and the counts for who adds it up."""
        return {
            "count": self.count,
            "mean_ms": round(self.mean * 1e3, 3),
            **{f"p{name}_ms": round(self.quantile(share) * 1e3, 3) for name, share in QUANTILES.items()},
            "max_ms": round(self.max * 1e3, 3),
            "total_seconds": self.total,
            "max_seconds": self.max,
            "counts": {str(place): count for place, count in sorted(self._counts.items())},
        }

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Distribution:
        """From what `to_dict` gave. KeyError, TypeError, ValueError: it is something else."""
        found = cls()
        found._counts = {int(place): int(count) for place, count in said["counts"].items()}
        found.count, found.total, found.max = (
            int(said["count"]),
            float(said["total_seconds"]),
            float(said["max_seconds"]),
        )
        return found


QUANTILES: Mapping[str, float] = {"50": 0.5, "95": 0.95, "99": 0.99, "999": 0.999}
"""Quantiles of reports: what stands in their names, and the share."""
