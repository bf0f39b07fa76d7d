"""Orders as of positions, kept: the pages of a search are cut from one.

An order never changes, so one that is gone, or that another server made, is made again the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.order.run_order import FirstPage, RunOrder
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.sql.as_of import AsOf

KEPT_BYTES = 32 << 20
"""Maximum bytes of the orders that are kept; a run takes 16. One that is larger by itself is not kept."""
FIRST_RUNS = 4_096
"""Runs of an order that is made for a page near its beginning."""
GROWTH = 4
"""Times as many runs as a page further behind needs."""


class Orders:
    """Orders by search and position. Used from many threads."""

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, RunOrder] = OrderedDict()

    def as_of(
        self, position: AsOf, query: PageQuery, name: Hashable, count: int | None,
        first: FirstPage | None = None,
    ) -> RunOrder:  # fmt: skip
        """The first `count` runs or more, None = all, as of a position; with `first`, of those behind that page.

        `name`: of the search, the same for all its pages. TimedOut, TooMuchToRead.
        """
        key = name, position, first
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        if kept is not None and kept.reaches(count):
            return kept
        before = 0 if first is None else first.settled + len(first.returned)
        most = None if count is None else max(FIRST_RUNS, GROWTH * (count + before))
        order = self._reader.order(query, position, most)
        if first is not None:
            order = first.behind(order)
        self._keep(key, order)
        return order

    def _keep(self, key: Hashable, order: RunOrder) -> None:
        if order.ids.nbytes > KEPT_BYTES:
            return
        with self._lock:
            self._kept[key] = order
            size = sum(one.ids.nbytes for one in self._kept.values())
            while size > KEPT_BYTES:
                _, gone = self._kept.popitem(last=False)
                size -= gone.ids.nbytes
