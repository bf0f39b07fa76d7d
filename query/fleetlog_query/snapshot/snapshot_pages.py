"""Pages as of the position of the first one, however many runs change meanwhile.

What has not changed since the position is now as it was then. So a page is read as it is now, and then it is asked
which runs changed since: those are taken out of it, and the ones of them that belonged to it then are put in, which are
looked up as they were. `run_touches` tells of a change before anything else of it can be read, so a run that is not
there is as it was for all that was read before. A run's past never changes: it is looked up once for all pages.

A first page is not kept waiting for that. When runs changed while it was read it is given as it is, and the pages
behind it know which runs it showed: the second is what was foremost at the position without these. So a run that
belonged to the first page and was not shown comes next, and one that was shown does not come again.

Should very many have changed, or still more while it looks, all runs are looked at as they were.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fleetlog_query.changes.changed_runs import Touched, Touches
from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.pages.page import PageQuery, page_statement
from fleetlog_query.pages.page_rows import PageRow, rows_of, spliced
from fleetlog_query.snapshot.lookup import PastRuns, can_tell
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.warehouse.cancellable import CancellableWarehouse

MOST = 10_000
"""Maximum of runs that changed since a page. To look up more costs more than to look at all runs as they were."""
ROUNDS = 6
"""Attempts at a page, and at what runs were while they change still."""
LOOKED_UP = 1_000
"""Runs that one statement looks up as they were."""
KEPT_SEARCHES = 64
SPARES = (16, 64)
"""Rows that are read beyond a page when runs are known to have changed, and when these were too few."""


@dataclass(frozen=True)
class PinnedRows:
    """The page and one row more, as of the pin.

    No pin: as it is now. `shown`: runs that the pages behind it leave out; with `anew` they begin at the first run, and
    not behind this page's last one.
    """

    rows: list[PageRow]
    pin: AsOf | None = None
    shown: frozenset[bytes] = frozenset()
    anew: bool = False


class _Past:
    """The runs of one search that changed since its position, as they were: None = did not match. By id."""

    def __init__(self) -> None:
        self.rows: dict[bytes, PageRow | None] = {}


class PinnedPages:
    """Reads pages as of positions. Used from many threads."""

    def __init__(self, warehouse: CancellableWarehouse, touches: Touches, reader: PageReader) -> None:
        self._warehouse = warehouse
        self._touches = touches
        self._reader = reader
        self._lock = threading.Lock()
        self._pasts: OrderedDict[tuple[str, float, AsOf], _Past] = OrderedDict()

    def first(self, query: PageQuery, pin: AsOf, timeout_seconds: float) -> PinnedRows:
        """The first page, as it is now. TimedOut."""
        rows = self._reader.page(query, timeout_seconds)
        if len(rows) <= query.size:
            # All that match: no page follows that has to be of the same moment.
            return PinnedRows(rows)
        if self._touches.since(query.scope, pin, timeout_seconds) == {}:
            return PinnedRows(rows, pin)
        shown = frozenset(row.run_id for row in rows[: query.size])
        return PinnedRows(rows, pin, shown, anew=True)

    def page(
        self, query: PageQuery, pin: AsOf, name: tuple[str, float], timeout_seconds: float,
        shown: frozenset[bytes] = frozenset(),
    ) -> PinnedRows:  # fmt: skip
        """A later page. `name`: of the search, the same for all its pages; `shown`: by a first page that was not of one
        moment. TooMuchToRead, TimedOut."""
        more = replace(query, size=query.size + len(shown))
        found = self._behind(more, pin, name, timeout_seconds)
        rows = [row for row in found.rows if row.run_id not in shown]
        return replace(found, rows=rows[: query.size + 1], shown=shown)

    def _behind(self, query: PageQuery, pin: AsOf, name: tuple[str, float], timeout_seconds: float) -> PinnedRows:
        """What was behind the last page's last row at the pin."""
        spare = min(self._touches.known(query.scope, pin), SPARES[0])
        for _ in range(ROUNDS):
            now = self._reader.page(replace(query, size=query.size + spare), timeout_seconds)
            changed = self._touches.since(query.scope, pin, timeout_seconds)
            if changed is None or len(changed) > MOST:
                break
            if not changed:
                return PinnedRows(now[: query.size + 1], pin)
            then = self._then(query, pin, name, changed, timeout_seconds)
            whole = len(now) <= query.size + spare
            rows = spliced(now, then, changed, query.columns, query.last, whole=whole)
            if whole or len(rows) > query.size:
                return PinnedRows(rows[: query.size + 1], pin)
            taken = sum(row.run_id in changed for row in now)
            spare = min(max(SPARES[1], 2 * taken), MOST)
        past = replace(query, scope=replace(query.scope, as_of=pin))
        answer = self._warehouse.select(page_statement(past, wide=True), timeout_seconds=timeout_seconds)
        return PinnedRows(rows_of(answer, query.columns), pin)

    def _then(
        self, query: PageQuery, pin: AsOf, name: tuple[str, float], changed: Touched, timeout_seconds: float
    ) -> list[PageRow]:
        """The changed runs that matched then."""
        past = self._past(name, pin)
        new = [run_id for run_id in changed if run_id not in past.rows]
        looked_up: dict[bytes, PageRow | None] = {}
        told_here = can_tell(query, len(new))

        def look_up(run_ids: list[bytes]) -> None:
            for place in range(0, len(run_ids), LOOKED_UP):
                some = run_ids[place : place + LOOKED_UP]
                past_runs = PastRuns(self._warehouse, query, pin, timeout_seconds)
                rows = past_runs.found(some) if told_here else self._look_up(query, pin, some, timeout_seconds)
                found = {row.run_id: row for row in rows}
                looked_up.update({run_id: found.get(run_id) for run_id in some})

        if new and told_here:
            look_up(new)
        elif new:
            self._settle(query, pin, new, look_up, timeout_seconds, changed)
        # Others may have looked them up too: they found the same.
        past.rows.update(looked_up)
        return [row for run_id in changed if (row := past.rows[run_id]) is not None]

    def _settle(
        self, query: PageQuery, pin: AsOf, run_ids: Sequence[bytes], read: Callable[[list[bytes]], None],
        timeout_seconds: float, before: Touched | None,
    ) -> None:  # fmt: skip
        """Have `read` look up how these runs were; again for those that a batch changed while it looked.

        A statement reads one table a moment before another, so it can miss that something is not of the past.
        `before`: what had changed before.
        """
        left = list(run_ids)
        for _ in range(ROUNDS):
            if not left:
                return
            read(left)
            after = self._touches.since(query.scope, pin, timeout_seconds)
            left = [one for one in left if _number(before, one) != _number(after, one)]
            before = after

    def _look_up(self, query: PageQuery, pin: AsOf, run_ids: Sequence[bytes], timeout_seconds: float) -> list[PageRow]:
        scope = replace(query.scope, as_of=pin, run_ids=tuple(run_ids))
        statement = page_statement(replace(query, scope=scope, size=len(run_ids), last=None), wide=True)
        return rows_of(self._warehouse.select(statement, timeout_seconds=timeout_seconds), query.columns)

    def _past(self, name: tuple[str, float], pin: AsOf) -> _Past:
        with self._lock:
            past = self._pasts.setdefault((*name, pin), _Past())
            self._pasts.move_to_end((*name, pin))
            while len(self._pasts) > KEPT_SEARCHES:
                self._pasts.popitem(last=False)
        return past


def _number(touched: Touched | None, run_id: bytes) -> int:
    return -1 if touched is None else touched.get(run_id, 0)
