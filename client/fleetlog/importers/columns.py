"""Points that come one by one, gathered by key until there are enough of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fleetlog.importers.source import Points

GATHERED = 200_000
"""Points that are gathered before they are given out."""


class Columns:
    """Points by key, each of one row: a row has a step and a time."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        """Every key that has had a point."""
        self._clear()

    def _clear(self) -> None:
        self._steps: list[int] = []
        self._times: list[int] = []
        self._columns: dict[str, tuple[list[int], list[float]]] = {}
        self.row = -1
        """The row that values are added to."""
        self.count = 0

    def begin_row(self, step: int, time: int) -> None:
        """Begin a row: a step, and milliseconds since 1970."""
        self._steps.append(step)
        self._times.append(time)
        self.row += 1

    def add(self, key: str, value: float) -> None:
        """Add a point to the row."""
        self.add_all([(key, value)])

    def add_all(self, points: Sequence[tuple[str, float]]) -> None:
        """Add points to the row."""
        row, columns = self.row, self._columns
        for key, value in points:
            column = columns.get(key)
            if column is None:
                column = columns[key] = ([], [])
                self.keys.add(key)
            column[0].append(row)
            column[1].append(value)
        self.count += len(points)

    @property
    def is_full(self) -> bool:
        """True if so many points are gathered that they are to be taken."""
        return self.count >= GATHERED

    def taken(self) -> Iterator[Points]:
        """Every point gathered so far, which are forgotten."""
        steps, times = np.array(self._steps, np.int64), np.array(self._times, np.int64)
        for key, (rows, values) in self._columns.items():
            yield Points(key, steps[rows], np.array(values, np.float64), times[rows])
        self._clear()
