"""The latest runs first: windows over run ids for searches in the order of start times.

Run ids begin with the time of their making, so the latest runs are one narrow range of every table. A search by
start_time DESC looks there first, and in a wider window when it must. That is exact: `run_skews` says by how much any
run of an experiment started before or after its id was made, and a window is only believed when no run outside of it
can have started after the last row of the page.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_query.binds import Binds
from fleetlog_query.kept import Kept
from fleetlog_query.scope import Scope

WINDOWS = (4_096, 131_072)
"""How many of the latest runs a window holds."""
KEEP_SECONDS = 10.0
KEPT = 1_000
_TIME_BYTES = 6
_MOST = (1 << 8 * _TIME_BYTES) - 1


@dataclass(frozen=True, slots=True)
class Skew:
    """Milliseconds by which a run's start is after its id's time at most, and before it at most."""

    ahead: int
    behind: int


@dataclass(frozen=True, slots=True)
class Window:
    """A scope that may be cut, and the latest start in milliseconds that a run outside of it can have; None = whole.

    `wide`: it holds so many runs that reading them is work for every core.
    """

    scope: Scope
    latest_outside: int | None
    wide: bool

    @property
    def whole(self) -> bool:
        """Whether no run is outside."""
        return self.latest_outside is None

    def holds(self, last_start_millis: int) -> bool:
        """Whether a page of it whose last row started then is the page of the whole scope."""
        return self.latest_outside is None or last_start_millis > self.latest_outside


class Windows:
    """Finds windows. Where they begin is kept for some seconds: a boundary is never wrong, only less fitting."""

    def __init__(self, warehouse: Warehouse, clock: Callable[[], float] = time.monotonic) -> None:
        self._warehouse = warehouse
        self._skews: Kept[Scope, Skew] = Kept(warehouse, "run_skews")
        self._clock = clock
        self._begins: OrderedDict[tuple[Scope, int], tuple[float, bytes]] = OrderedDict()

    def of(self, scope: Scope, last_start_millis: int | None, timeout_seconds: float) -> Iterator[Window]:
        """Windows from narrow to the whole; behind a page: before its last row's start."""
        asked = scope
        skew = self._skews.get(asked, lambda: self._skew(asked, timeout_seconds))
        if last_start_millis is not None:
            until = max(0, min(last_start_millis + skew.behind + 1, _MOST))
            scope = replace(scope, until=until.to_bytes(_TIME_BYTES, "big") + bytes(10))
        wide = False
        for runs in WINDOWS:
            begin = self._begin(scope, runs, timeout_seconds)
            if not begin:
                break
            made_millis = int.from_bytes(begin[:_TIME_BYTES], "big")
            yield Window(replace(scope, since=begin), made_millis + skew.ahead, wide)
            wide = True
        yield Window(scope, None, wide)

    def wide(self, scope: Scope, timeout_seconds: float) -> bool:
        """Whether it holds so many runs that reading them all is work for every core."""
        return bool(self._begin(scope, WINDOWS[-1], timeout_seconds))

    def _begin(self, scope: Scope, runs: int, timeout_seconds: float) -> bytes:
        """The id before which a window of so many runs begins; empty when there are not more."""
        now = self._clock()
        kept = self._begins.get((scope, runs))
        if kept is not None and now < kept[0]:
            return kept[1]
        binds = Binds()
        sql = f"SELECT run_id FROM runs WHERE {scope.sql(binds)} ORDER BY run_id DESC LIMIT 1 OFFSET {runs - 1}"
        answer = self._warehouse.select(Statement(sql, binds.values), timeout_seconds=timeout_seconds)
        begin = answer.array("run_id")[0].tobytes() if answer.rows else b""
        self._begins[(scope, runs)] = (now + KEEP_SECONDS, begin)
        while len(self._begins) > KEPT:
            self._begins.popitem(last=False)
        return begin

    def _skew(self, scope: Scope, timeout_seconds: float) -> Skew:
        binds = Binds()
        sql = f"SELECT max(ahead) AS a, max(behind) AS b FROM run_skews WHERE {scope.sql(binds)}"
        answer = self._warehouse.select(Statement(sql, binds.values), timeout_seconds=timeout_seconds)
        return Skew(int(answer.array("a")[0]), int(answer.array("b")[0]))
