"""Points that come one by one, gathered by key until there are enough of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

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
        self._steps = array("q")
        self._times = array("q")
        self._columns: dict[str, tuple[array[int], array[float]]] = {}
        self.row = -1
        """The row that values are added to."""
        self.count = 0

    def begin_row(self, step: int, time: int) -> None:
        """Begin a row: a step, and milliseconds since 1970."""
        self._steps.append(step)
        self._times.append(time)
        self.row += 1

    def begin_rows(self, steps: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> tuple[int, int]:
        """Begin rows, at least one. Returns the step and the time of the last."""
        self._steps.frombytes(steps.tobytes())
        self._times.frombytes(times.tobytes())
        self.row += len(steps)
        return self._steps[-1], self._times[-1]

    def add(self, key: str, value: float) -> None:
        """Add a point to the row."""
        rows, values = self.column(key)
        rows.append(self.row)
        values.append(value)
        self.count += 1

    def column(self, key: str) -> tuple[array[int], array[float]]:
        """Rows and values of a key, to which who adds very many points appends by itself; until they are taken."""
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = (array("q"), array("d"))
            self.keys.add(key)
        return found

    def drop_from_row(self, prefixes: tuple[str, ...]) -> None:
        """Take back the points of the row whose keys begin so; keys that have no other point are forgotten."""
        for key in [key for key in self._columns if key.startswith(prefixes)]:
            rows, values = self._columns[key]
            while rows and rows[-1] == self.row:
                rows.pop()
                values.pop()
                self.count -= 1
            if not rows:
                self.keys.discard(key)

    @property
    def room(self) -> int:
        """Points with which it is full."""
        return max(GATHERED - self.count, 0)

    @property
    def is_full(self) -> bool:
        """True if so many points are gathered that they are to be taken."""
        return self.count >= GATHERED

    def taken(self) -> Iterator[Points]:
        """Every point gathered so far, which are forgotten."""
        steps, times = np.array(self._steps), np.array(self._times)
        for key, (rows, values) in self._columns.items():
            if rows:
                places = np.array(rows)
                yield Points(key, steps[places], np.array(values), times[places])
        self._clear()
