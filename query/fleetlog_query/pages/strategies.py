"""A page of runs as they are when it is read.

Three ways to the same page, the first that applies:

    foremost   by a number: only runs whose value is among the foremost are joined and sorted
    latest     by start_time DESC: only the latest runs are looked at
    whole      all runs of the scope; searches as of a position always
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fleetlog_core.warehouse.port import Answer

from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import Key
from fleetlog_query.pages.latest_runs import Missed, Windows
from fleetlog_query.pages.page import PageQuery, count_statement, page_statement
from fleetlog_query.pages.top_k import Foremost, Found
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.warehouse.cancellable import CancellableWarehouse


class PageReader:
    """Reads pages."""

    def __init__(self, warehouse: CancellableWarehouse) -> None:
        self._warehouse = warehouse
        self._windows = Windows(warehouse)
        self._foremost = Foremost(warehouse, self._windows)

    def page(self, query: PageQuery, mask: ReadMask | None, timeout_seconds: float) -> Found:
        """The page and one row more. `mask`: the keys that the runs are wanted with, if they are on the way."""
        if query.scope.as_of is None:
            if query.keys and query.keys[0].of_numbers:
                found = self._foremost.page(query, mask, timeout_seconds)
                if found is not None:
                    return found
            elif _by_start(query.keys):
                return Found(self._latest(query, timeout_seconds))
        return Found(self._warehouse.select(page_statement(query, wide=True), timeout_seconds=timeout_seconds))

    def count(self, query: PageQuery, most: int | None, timeout_seconds: float) -> int:
        """How many runs match, on all pages; with `most`, no more are counted."""
        wide = query.scope.as_of is not None or self._windows.wide(query.scope, timeout_seconds)
        statement = count_statement(query, most, wide=wide)
        return int(self._warehouse.select(statement, timeout_seconds=timeout_seconds).array("n")[0])

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
