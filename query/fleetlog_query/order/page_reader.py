"""The first page of a search as runs are when it is read; and the order of its runs as of a position.

Two ways to the same runs:

    columns     of the scope's runs are held: the filter and the order are worked out over them, without a statement
    statement   what does not fit the memory that is set, windows, searches as of a position, and what the columns can't
                tell; of a first page in the first way that applies: by a number only runs whose value is among the
                foremost are joined and sorted (top_k), by start_time DESC only the latest runs are looked at
                (latest_runs), else all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from fleetlog_core.warehouse.port import Answer
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.column_cache.scope_columns import HeldColumns
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import Key
from fleetlog_query.order.column_pages import ColumnPages
from fleetlog_query.order.run_order import RunOrder
from fleetlog_query.pages.latest_runs import LatestRuns, WindowMiss
from fleetlog_query.pages.page import PageQuery, count_statement, order_statement, page_statement
from fleetlog_query.pages.top_k import TopK
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.run_rows import runs_of
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.warehouse.cancellable import CancellableWarehouse


class PageReader:
    """Reads pages."""

    def __init__(
        self, warehouse: CancellableWarehouse, changed_runs: ChangedRuns, held: HeldColumns, documents: Documents
    ) -> None:  # fmt: skip
        self._warehouse = warehouse
        self._changed_runs = changed_runs
        self._latest = LatestRuns(warehouse)
        self._top_k = TopK(warehouse, self._latest)
        self._columns = ColumnPages(warehouse, changed_runs, held, documents, self._latest)

    def page(self, query: PageQuery) -> list[run_pb2.Run]:
        """The page and one run more, with their attributes. TimedOut, TooMuchToRead."""
        found = self._columns.page(query)
        if found is not None:
            return found
        answer = self._answer(query)
        return runs_of(answer) if answer.rows else []

    def order(self, query: PageQuery, position: AsOf, most: int | None) -> RunOrder:
        """The first `most` runs as of a position that was read here or waited for; None = all. TimedOut,
        TooMuchToRead."""
        found = self._columns.order(query, position, most)
        if found is None and query.scope.as_of is None and self._is_unchanged(query, position):
            found = self._order(query, most)
            if not self._is_unchanged(query, position):
                found = None
        past = replace(query, scope=replace(query.scope, as_of=position))
        return self._order(past, most) if found is None else found

    def _is_unchanged(self, query: PageQuery, position: AsOf) -> bool:
        return self._changed_runs.since(query.scope, position) == {}

    def _order(self, query: PageQuery, most: int | None) -> RunOrder:
        answer = self._warehouse.select(order_statement(query, most))
        ids = answer.array("run_id") if answer.rows else np.empty(0, "V16")
        return RunOrder(ids, most is None or answer.rows < most)

    def count(self, query: PageQuery, most: int | None) -> int:
        """Count of runs that match, on all pages; with `most`, no more are counted."""
        found = self._columns.count(query)
        if found is not None:
            return found if most is None else min(found, most)
        wide = query.scope.as_of is not None or self._latest.is_wide(query.scope)
        statement = count_statement(query, most, wide=wide)
        return int(self._warehouse.select(statement).array("n")[0])

    def _answer(self, query: PageQuery) -> Answer:
        if query.scope.as_of is None:
            if query.keys and query.keys[0].of_numbers:
                found = self._top_k.page(query)
                if found is not None:
                    return found
            elif _by_start(query.keys):
                return self._latest_page(query)
        return self._warehouse.select(page_statement(query, wide=True))

    def _latest_page(self, query: PageQuery) -> Answer:
        missed: WindowMiss | None = None
        while True:
            window = self._latest.window(query.scope, missed)
            page = page_statement(replace(query, scope=window.scope), wide=window.wide)
            answer = self._warehouse.select(page)
            if window.whole or (answer.rows > query.size and window.holds(_start_of(answer, query.size))):
                return answer
            missed = WindowMiss(window, answer.rows, query.size + 1)


def _start_of(answer: Answer, row: int) -> int:
    return int(answer.array("start_millis")[row])


def _by_start(keys: Sequence[OrderKey]) -> bool:
    """True if the latest start is first. Other orders look at all runs."""
    return not keys or (keys[0].value == Key("attributes", "start_time") and keys[0].descending)
