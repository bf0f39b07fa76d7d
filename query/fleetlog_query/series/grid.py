"""Where buckets begin and end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fleetlog_core.warehouse.schema import BUCKET_STEPS

from fleetlog_query.language.values import Window
from fleetlog_query.series.series_query import SeriesQuery

MANY_POINTS = 300_000
"""Number of points that take longer to read than a chart may: from it on, buckets get as wide as those of `rollup`,
where that leaves at least half as many buckets as were asked for."""
_WIDE = 1 << 62


@dataclass(frozen=True, slots=True)
class Grid:
    """Buckets from `origin` on, of which `low` is the lowest that can be in one; `rollup`: whole buckets of it.

    `window` is of the steps that are read from `rollup` and beside it.
    """

    origin: int
    low: int
    width: int
    window: Window | None = None

    @classmethod
    def of(cls, low: int, high: int, count: int, query: SeriesQuery, points: float = 0.0) -> Grid:
        """At most `count` buckets from low to high; the ends of the series and those of the query met there.

        `points`: about how many there are. Of more than MANY_POINTS, buckets of more than half of BUCKET_STEPS are as
        wide as those: at least half of `count` are left, or half of those that the range has room for.
        """
        first, last = max(low, query.steps[0]), min(high, query.steps[1])
        if query.axis != "step":
            first, last = low, high
        narrow = -(-(last - first + 1) // count)
        width = -(-narrow // BUCKET_STEPS) * BUCKET_STEPS
        origin = first - first % BUCKET_STEPS
        fits = -(-(last - origin + 1) // width) <= count
        widens = fits and 2 * narrow > BUCKET_STEPS and points > MANY_POINTS
        if not query.of_steps_alone or (narrow < BUCKET_STEPS and not widens):
            return cls(first, first, narrow)
        if not fits:
            width += BUCKET_STEPS
        # An end of the query cuts a bucket; behind an end of the series there is nothing to cut.
        steps = (
            first if query.steps[0] > low else origin,
            last if query.steps[1] < high else last - last % BUCKET_STEPS + BUCKET_STEPS - 1,
        )
        return cls(origin, first, width, Window(steps))

    @property
    def is_near(self) -> bool:
        """True if 64 bits hold how far any step of a bucket is from the origin."""
        return self.width < _WIDE // 10_000 and abs(self.origin) < _WIDE

    def rows(self, points: float, series: int) -> float:
        """About how many rows there are to put together; infinite when they are not of `rollup`."""
        buckets, edges = self.window.split() if self.window is not None else (None, [])
        if self.window is None or buckets is None or not self.is_near:
            return math.inf
        beside = sum(last - first + 1 for first, last in edges)
        steps = self.window.steps[1] - self.window.steps[0] + 1
        # A row of rollup has a point at least.
        return min(points, (buckets[1] - buckets[0] + 1) * series) + points * beside / steps
