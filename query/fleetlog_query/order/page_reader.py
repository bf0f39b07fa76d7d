"""A page of runs as they are when it is read.

Two ways to the same page:

    columns     of the scope's runs are held: the filter and the order are worked out over them, without a statement
    statement   what does not fit the memory that is set, windows, searches as of a position, and what the columns can't
                tell; in the first way that applies: by a number only runs whose value is among the foremost are joined
                and sorted (top_k), by start_time DESC only the latest runs are looked at (latest_runs), else all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fleetlog_core.warehouse.port import Answer

from fleetlog_query.column_cache.frames import Frames
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import Key
from fleetlog_query.order.column_pages import ColumnPages
from fleetlog_query.pages.latest_runs import Missed, Windows
from fleetlog_query.pages.page import PageQuery, count_statement, page_statement
from fleetlog_query.pages.page_rows import PageRow, rows_of
from fleetlog_query.pages.top_k import Foremost
from fleetlog_query.runs.documents import Documents
from fleetlog_query.warehouse.cancellable import CancellableWarehouse


class PageReader:
    """Reads pages."""

    def __init__(self, warehouse: CancellableWarehouse, frames: Frames, documents: Documents) -> None:
        self._warehouse = warehouse
        self._windows = Windows(warehouse)
        self._foremost = Foremost(warehouse, self._windows)
        self._columns = ColumnPages(warehouse, frames, documents, self._windows)

    def page(self, query: PageQuery, timeout_seconds: float) -> list[PageRow]:
        """The page and one row more. TimedOut, TooMuchToRead."""
        found = self._columns.page(query, timeout_seconds)
        return rows_of(self._answer(query, timeout_seconds), query.columns) if found is None else found

    def count(self, query: PageQuery, most: int | None, timeout_seconds: float) -> int:
        """How many runs match, on all pages; with `most`, no more are counted."""
        found = self._columns.count(query, timeout_seconds)
        if found is not None:
            return found if most is None else min(found, most)
        wide = query.scope.as_of is not None or self._windows.wide(query.scope, timeout_seconds)
        statement = count_statement(query, most, wide=wide)
        return int(self._warehouse.select(statement, timeout_seconds=timeout_seconds).array("n")[0])

    def _answer(self, query: PageQuery, timeout_seconds: float) -> Answer:
        if query.scope.as_of is None:
            if query.keys and query.keys[0].of_numbers:
                found = self._foremost.page(query, timeout_seconds)
                if found is not None:
                    return found
            elif _by_start(query.keys):
                return self._latest(query, timeout_seconds)
        return self._warehouse.select(page_statement(query, wide=True), timeout_seconds=timeout_seconds)

    def _latest(self, query: PageQuery, timeout_seconds: float) -> Answer:
        start = len(query.columns) - 2
        last_start = None if query.last is None else int(query.last[start])
        missed: Missed | None = None
        while True:
            window = self._windows.of(query.scope, last_start, missed, timeout_seconds)
            page = page_statement(replace(query, scope=window.scope), wide=window.wide)
            answer = self._warehouse.select(page, timeout_seconds=timeout_seconds)
            if window.whole or (answer.rows > query.size and window.holds(_start_of(answer, query.size))):
                return answer
            missed = Missed(window, answer.rows, query.size + 1)


def _start_of(answer: Answer, row: int) -> int:
    return int(answer.array("start_millis")[row])


def _by_start(keys: Sequence[OrderKey]) -> bool:
    """Whether the latest start is first. Other orders look at all runs."""
    return not keys or (keys[0].value == Key("attributes", "start_time") and keys[0].descending)
