"""The foremost numbers of all runs, of columns that are held.

To find them in the tables reads a column of as many numbers as there are runs, on every core. Who asks for a key a
second time is likely to ask for it again: then it is read into the frame, while nobody waits for it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import (
    Answer,
    Statement,
    TimedOut,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)

from fleetlog_query.filter.values import Key, Series
from fleetlog_query.frames.frame import Real, Runs, shown_places
from fleetlog_query.frames.frames import HELD_BYTES, Frames
from fleetlog_query.scope import Scope

ASKED_BEFORE = 2
"""So often is a key asked for until its column is read."""
MOST_ANEW = 50_000
"""So many runs are read anew for one question. When more have changed, the tables are asked, and the column read."""
PAUSE_SECONDS = 30.0
"""Between two times that a column is read from the tables."""
LOAD_SECONDS = 60.0
KEPT_NAMES = 1_000
_NUMBER_BYTES = 8

Source = Key | Series
Numbers = dict[bytes, float]


class Leading:
    """Finds them. Used from many threads."""

    def __init__(self, warehouse: Warehouse, frames: Frames, clock: Callable[[], float] = time.monotonic) -> None:
        self._warehouse = warehouse
        self._frames = frames
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: OrderedDict[tuple[Scope, Source], tuple[int, float]] = OrderedDict()
        self._loading = ContextThreads(1, "columns")

    def close(self) -> None:
        """Let the thread go."""
        self._loading.shutdown(cancel_futures=True)

    def foremost(
        self, scope: Scope, source: Source, *, count: int, descending: bool, bound: float | None, deleted_view: int,
        timeout_seconds: float,
    ) -> Numbers | None:  # fmt: skip
        """The `count` foremost numbers by run, in order; with `bound`, none before it. Fewer: there are no more.

        None: the tables are to be asked. TimedOut.
        """
        with self._frames.free(scope) as frame:
            if frame is not None and frame.holds(source):
                current = frame.current(source, self._select(timeout_seconds), MOST_ANEW)
                if current is not None:
                    runs, values = current
                    return _foremost(runs, values, count, descending, bound, deleted_view)
        self._ask(scope, source)
        return None

    def _ask(self, scope: Scope, source: Source) -> None:
        """Have the column read, when it was asked for before."""
        now = self._clock()
        with self._lock:
            count, last = self._asked.get((scope, source), (0, -PAUSE_SECONDS))
            is_due = count + 1 >= ASKED_BEFORE and now - last >= PAUSE_SECONDS
            self._asked[scope, source] = count + 1, now if is_due else last
            self._asked.move_to_end((scope, source))
            while len(self._asked) > KEPT_NAMES:
                self._asked.popitem(last=False)
            if is_due:
                self._loading.submit(self._load, scope, source)

    def _load(self, scope: Scope, source: Source) -> None:
        select = self._select(LOAD_SECONDS)
        try:
            with self._frames.of(scope, LOAD_SECONDS) as frame:
                runs = frame.runs(select)
                # Columns that do not fit would be read for others to be read again.
                if frame.size_bytes + _NUMBER_BYTES * len(runs.ids) <= HELD_BYTES or frame.holds(source):
                    frame.numbers(source, select)
        except (TimedOut, WarehouseUnavailable, WarehouseRefused):
            # Nobody waits for it; whoever asks asks the tables.
            return

    def _select(self, timeout_seconds: float) -> Callable[[Statement], Answer]:
        until = time.monotonic() + timeout_seconds

        def select(statement: Statement) -> Answer:
            return self._warehouse.select(statement, timeout_seconds=max(until - time.monotonic(), 0.001))

        return select


def _foremost(
    runs: Runs, values: Real, count: int, descending: bool, bound: float | None, deleted_view: int
) -> Numbers:  # fmt: skip
    places = shown_places(runs, deleted_view)
    ranks = values if places is None else values[places]
    if descending:
        ranks = -ranks
    if bound is not None:
        ranks = np.where(ranks >= (-bound if descending else bound), ranks, np.nan)
    # NaN, which is also who has none, comes behind all numbers.
    first = np.argpartition(ranks, count)[:count] if len(ranks) > count else np.arange(len(ranks))
    first = first[~np.isnan(ranks[first])]
    first = first[np.argsort(ranks[first], kind="stable")]
    found = first if places is None else places[first]
    return {runs.ids.at(place): float(values[place]) for place in found.tolist()}
