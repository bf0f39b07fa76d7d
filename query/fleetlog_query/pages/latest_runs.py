"""The latest runs first: windows over run ids for searches in the order of start times.

For scopes whose columns are not held. Without it two conditions over 1,000,000 runs miss their mark of 60 ms (p95): all
runs of the scope are merged and sorted then (docs/decisions/0005-search-index.md).

Run ids begin with the time of their making, so the latest runs are one narrow range of every table. A search by
start_time DESC looks there first, and in a wider window when it must. That is exact: `run_skews` says by how much any
run of an experiment started before or after its id was made, and a window is only believed when no run outside of it
can have started after the last row of the page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.versioned_cache import VersionedCache

WINDOWS = (4_096, 16_384, 65_536, 262_144)
"""Counts of the latest runs that windows hold."""
WIDE_RUNS = 131_072
"""Reading more is work for every core."""
MARGIN = 1.5
"""Times as many runs as a page should take, by what a narrower window held of it."""
KEEP_SECONDS = 10.0
KEPT = 1_000
_TIME_BYTES = 6


@dataclass(frozen=True, slots=True)
class Window:
    """A scope that may be cut to about `size` runs, and the latest start in milliseconds that a run outside of it can
    have; None = whole. `wide`: reading them is work for every core.
    """

    scope: Scope
    size: int
    latest_outside: int | None
    wide: bool

    @property
    def whole(self) -> bool:
        """True if no run is outside."""
        return self.latest_outside is None

    def holds(self, last_start_millis: int) -> bool:
        """True if a page of it whose last row started then is the page of the whole scope."""
        return self.latest_outside is None or last_start_millis > self.latest_outside


@dataclass(frozen=True, slots=True)
class WindowMiss:
    """A window of which a page took fewer rows than it needs, or such as others may come before."""

    window: Window
    rows: int
    needed: int


class LatestRuns:
    """Finds windows. Where they begin is kept for some seconds: a boundary is never wrong, only less fitting.

    Used from many threads: each entry that is kept is replaced as a whole.
    """

    def __init__(self, warehouse: Warehouse, clock: Callable[[], float] = time.monotonic) -> None:
        self._warehouse = warehouse
        self._ahead: VersionedCache[Scope, int] = VersionedCache(warehouse, "run_skews")
        self._clock = clock
        self._lock = threading.Lock()
        self._begins: OrderedDict[tuple[Scope, int], tuple[bytes, float]] = OrderedDict()
        """The first id of each window, and until when that is kept."""

    def window(self, scope: Scope, missed: WindowMiss | None) -> Window:
        """The window to look at; behind one that missed a wider one."""
        size = WINDOWS[0] if missed is None else wider(missed)
        if size is None:
            return Window(scope, 0, None, True)
        ahead = self._ahead.get(scope, lambda: self._read_ahead(scope))
        begin = self._begin(scope, size)
        if not begin:
            return Window(scope, size, None, size > WIDE_RUNS)
        latest_outside = int.from_bytes(begin[:_TIME_BYTES], "big") + ahead
        return Window(replace(scope, since=begin), size, latest_outside, size > WIDE_RUNS)

    def is_wide(self, scope: Scope) -> bool:
        """True if it holds so many runs that reading them all is work for every core."""
        return bool(self._begin(scope, WIDE_RUNS))

    def _begin(self, scope: Scope, size: int) -> bytes:
        """The id with which a window of so many runs begins; empty when there are not more."""
        now = self._clock()
        with self._lock:
            begin, kept_until = self._begins.get((scope, size), (b"", now))
        if now < kept_until:
            return begin
        binds = Binds()
        sql = f"SELECT run_id FROM runs WHERE {scope.sql(binds)} ORDER BY run_id DESC LIMIT 1 OFFSET {size - 1}"
        answer = self._warehouse.select(Statement(sql, binds.values))
        begin = answer.array("run_id")[0].tobytes() if answer.rows else b""
        with self._lock:
            self._begins[scope, size] = begin, now + KEEP_SECONDS
            while len(self._begins) > KEPT:
                self._begins.popitem(last=False)
        return begin

    def _read_ahead(self, scope: Scope) -> int:
        """Milliseconds by which a run's start is after its id's time at most."""
        binds = Binds()
        sql = f"SELECT max(ahead) AS a FROM run_skews WHERE {scope.sql(binds)}"
        answer = self._warehouse.select(Statement(sql, binds.values))
        return int(answer.array("a")[0])


def wider(missed: WindowMiss) -> int | None:
    """The size of the next window: one that should do, going by what this one held; None = all runs."""
    size = missed.window.size
    needed = size * MARGIN * missed.needed / max(missed.rows, 0.5)
    return next((one for one in WINDOWS if one > size and one >= needed), None)
