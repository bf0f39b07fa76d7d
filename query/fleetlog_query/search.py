"""SearchRuns' core: which runs, in which order, a page at a time.

Three ways to the same page, the first that applies:

    foremost   by a number of metrics: only runs whose value is among the foremost are joined and sorted
    latest     by start_time DESC: only the latest runs are looked at
    whole      all runs of the scope; searches as of a position always
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fleetlog_core import limits
from fleetlog_core.warehouse.port import Answer
from fleetlog_proto.v1 import query_pb2, run_pb2, scope_pb2

from fleetlog_query.as_of import AsOf
from fleetlog_query.cancelling import CancellableWarehouse
from fleetlog_query.filter.order_key import OrderKey
from fleetlog_query.filter.plan import plan_of
from fleetlog_query.filter.values import Key
from fleetlog_query.foremost import Foremost, Found
from fleetlog_query.order import parse_order, sort_columns
from fleetlog_query.page import PageQuery, count_statement, page_statement, values_of
from fleetlog_query.page_token import PageTokens, check_page_size
from fleetlog_query.read_mask import ReadMask
from fleetlog_query.run_keys import RunKeys
from fleetlog_query.run_rows import runs_of
from fleetlog_query.scope import Scope
from fleetlog_query.window import Missed, Windows

DEFAULT_PAGE = 100
TOTAL_AT_LEAST = 10_000
"""Up to here an "at least" count is the count."""


@dataclass(frozen=True)
class Search:
    """What is asked: see SearchRunsRequest."""

    namespace: str
    experiments: tuple[int, ...]
    filter: str = ""
    order_by: tuple[str, ...] = ()
    page_size: int = 0
    page_token: str = ""
    deleted_view: int = scope_pb2.DELETED_VIEW_ACTIVE
    total_count: int = query_pb2.TOTAL_COUNT_NONE
    asked: tuple[int | str, ...] | None = None
    """What the request said of experiments. Tokens belong to that, and not to what it came to: an experiment that is
    made between two pages is no reason to refuse the second."""
    as_of: AsOf | None = None
    """As everything was then; a later page has it from its token (`Searcher.pinned`)."""
    asked_as_of: bytes = b""
    """What the request said of it: tokens belong to that."""
    now_millis: float | None = None
    """What now() is; None = what the clock says."""


@dataclass(frozen=True)
class SearchPage:
    """Runs in order, without their keys; and the token of the page that follows, "" at the end."""

    runs: list[run_pb2.Run]
    next_page_token: str
    total: Total | None = None
    keys: RunKeys | None = None
    """What of their keys was read on the way."""


@dataclass(frozen=True)
class Total:
    """How many runs match, or that there are more than so many."""

    count: int
    is_lower_bound: bool = False


@dataclass(frozen=True)
class Compiled:
    """A search as it runs: the query of what comes behind its token; and what its own tokens hold beside the last row.

    `moment` is what now() means, on all pages the same.
    """

    query: PageQuery
    purpose: str
    moment: float


class Searcher:
    """Compiles searches and runs them."""

    def __init__(
        self,
        warehouse: CancellableWarehouse,
        token_key: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._warehouse = warehouse
        self._tokens = PageTokens(token_key)
        self._windows = Windows(warehouse)
        self._foremost = Foremost(warehouse, self._windows)

    def search(self, search: Search, timeout_seconds: float, mask: ReadMask | None = None) -> SearchPage:
        """One page. InvalidArgument for a filter, order or token that is wrong; TimedOut.

        `mask`: the keys that the runs are wanted with; they are read where they are on the way.
        """
        compiled = self.compile(search)
        query = compiled.query
        counted = search.total_count not in (query_pb2.TOTAL_COUNT_UNSPECIFIED, query_pb2.TOTAL_COUNT_NONE)
        if not search.experiments:
            return SearchPage([], "", Total(0) if counted else None)
        found = self._page(query, mask, timeout_seconds)
        answer, keys = found.answer, found.keys
        more = answer.rows > query.size
        token = self.token(compiled, values_of(answer, query.columns, query.size - 1)) if more else ""
        runs = runs_of(answer)[: query.size]
        if not counted:
            return SearchPage(runs, token, keys=keys)
        if query.last is None and not more:
            return SearchPage(runs, token, Total(len(runs)), keys)
        exact = search.total_count == query_pb2.TOTAL_COUNT_EXACT
        return SearchPage(runs, token, self._total(query, exact, timeout_seconds), keys)

    def compile(self, search: Search) -> Compiled:
        """The search, not yet run. InvalidArgument as `search`."""
        size = check_page_size(search.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        purpose = _purpose(search)
        # The first page says what now() is: a later one of the same search goes on in the same order.
        now = self._clock() * 1000 if search.now_millis is None else search.now_millis
        begun, *values = self._tokens.read(purpose, search.page_token) if search.page_token else [now]
        if values and search.as_of is not None:
            values = values[1:]
        keys, plan = parse_order(search.order_by, begun), plan_of(search.filter, begun)
        scope = Scope(search.namespace, search.experiments, as_of=search.as_of)
        query = PageQuery(scope, plan, keys, sort_columns(keys), values or None, size, search.deleted_view)
        return Compiled(query, purpose, begun)

    def token(self, compiled: Compiled, values: list[Any]) -> str:
        """The token of what comes behind a row with these values of the order."""
        as_of = compiled.query.scope.as_of
        pinned = [] if as_of is None else [[list(as_of.events), as_of.control]]
        return self._tokens.make(compiled.purpose, [compiled.moment, *pinned, *values])

    def pinned(self, search: Search) -> AsOf:
        """The position of a search as of one that goes on behind its token. PAGE_TOKEN_INVALID."""
        _, (events, control), *_ = self._tokens.read(_purpose(search), search.page_token)
        return AsOf(tuple(events), control)

    def _total(self, query: PageQuery, exact: bool, timeout_seconds: float) -> Total:
        wide = query.scope.as_of is not None or self._windows.wide(query.scope, timeout_seconds)
        statement = count_statement(query, None if exact else TOTAL_AT_LEAST + 1, wide=wide)
        count = int(self._warehouse.select(statement, timeout_seconds=timeout_seconds).array("n")[0])
        bounded = not exact and count > TOTAL_AT_LEAST
        return Total(TOTAL_AT_LEAST if bounded else count, bounded)

    def _page(self, query: PageQuery, mask: ReadMask | None, timeout_seconds: float) -> Found:
        """The page and one row more."""
        if query.scope.as_of is not None:
            return Found(self._warehouse.select(page_statement(query, wide=True), timeout_seconds=timeout_seconds))
        if query.keys and query.keys[0].of_metrics:
            found = self._foremost.page(query, mask, timeout_seconds)
            if found is not None:
                return found
        elif _by_start(query.keys):
            return Found(self._latest(query, timeout_seconds))
        return Found(self._warehouse.select(page_statement(query, wide=True), timeout_seconds=timeout_seconds))

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


def _purpose(search: Search) -> str:
    """What a token belongs to: everything of the search but the page."""
    where = search.experiments if search.asked is None else search.asked
    what = [search.namespace, where, search.filter, search.order_by, search.deleted_view]
    what += [search.asked_as_of.hex()] if search.asked_as_of else []
    return "runs:" + hashlib.sha256(json.dumps(what).encode()).hexdigest()
