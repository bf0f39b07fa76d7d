"""Searching runs: a page of those that match a filter, in an order."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import DeadlineExceeded, InvalidArgument, Unavailable
from fleetlog_core.warehouse.port import Answer, Statement, TimedOut, Warehouse, WarehouseUnavailable

from fleetlog_query.conditions import Scope
from fleetlog_query.filter.plan import plan_filter
from fleetlog_query.order import parse_order_by
from fleetlog_query.page_token import PageTokens, check_page_size
from fleetlog_query.statement import LEADERS, SearchPlan, SortValue, leaders_statement, search_statement

DEFAULT_PAGE_SIZE = 100
_HIDDEN = {0: 0, 1: 0, 2: 1, 3: None}
"""fleetlog.v1.DeletedView to `runs.deleted`."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; see SearchRunsRequest. Only in these experiments: in none of them there is nothing."""

    namespace: str
    experiments: tuple[int, ...]
    filter: str = ""
    order_by: tuple[str, ...] = ()
    page_size: int = 0
    page_token: str = ""
    deleted_view: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A run that was found."""

    run_id: bytes
    experiment: int


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Hits in order; the token is empty at the end."""

    hits: list[Hit]
    next_page_token: str


class Searcher:
    """Answers searches from the warehouse. Thread-safe; calls block. `token_key` seals page tokens."""

    def __init__(self, warehouse: Warehouse, token_key: bytes) -> None:
        self._warehouse = warehouse
        self._tokens = PageTokens(token_key)

    def search(self, search: Search, timeout_seconds: float = 30.0) -> SearchPage:
        """A page. InvalidArgument for what is wrong in the search, DeadlineExceeded SEARCH_TIMED_OUT, Unavailable."""
        rows = check_page_size(search.page_size, DEFAULT_PAGE_SIZE, limits.PAGE_SIZE)
        plan = _resolved(search)
        purpose = _purpose(search)
        after = self._tokens.read(purpose, search.page_token) if search.page_token else None
        if not plan.scope.experiments:
            return SearchPage([], "")
        try:
            answer = self._select(plan, rows + 1, after, time.monotonic() + timeout_seconds)
        except TimedOut:
            raise DeadlineExceeded(
                "SEARCH_TIMED_OUT", "the search took longer than its deadline; narrow it, or allow more time"
            ) from None
        except WarehouseUnavailable:
            raise Unavailable(
                "WAREHOUSE_UNAVAILABLE", "the warehouse does not answer; try again", retry_after_seconds=1.0
            ) from None
        if answer.rows == 0:
            return SearchPage([], "")
        run_ids = [run_id.tobytes() for run_id in answer.array("run_id")[:rows]]
        experiments = answer.array("experiment")[:rows].tolist()
        hits = [Hit(run_id, experiment) for run_id, experiment in zip(run_ids, experiments, strict=True)]
        token = self._tokens.make(purpose, _place(plan, answer, rows - 1)) if answer.rows > rows else ""
        return SearchPage(hits, token)

    def _select(self, plan: SearchPlan, rows: int, after: Sequence[SortValue] | None, deadline: float) -> Answer:
        # Twice as many as are needed: some may be deleted.
        leaders = leaders_statement(plan, rows * 2, after)
        if leaders is not None:
            found = self._run(leaders, deadline)
            if rows <= found.rows <= LEADERS:
                among = [run_id.tobytes() for run_id in found.array("run_id")]
                answer = self._run(search_statement(plan, rows, after, among), deadline)
                if answer.rows == rows:
                    return answer
        return self._run(search_statement(plan, rows, after), deadline)

    def _run(self, statement: Statement, deadline: float) -> Answer:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimedOut("no time was left")
        return self._warehouse.select(statement, timeout_seconds=left)


def _resolved(search: Search) -> SearchPlan:
    if search.deleted_view not in _HIDDEN:
        raise InvalidArgument.of_field(
            "DELETED_VIEW_INVALID", "deleted_view", f"{search.deleted_view} is no DeletedView; use 0 to 3"
        )
    return SearchPlan(
        Scope(search.namespace, tuple(sorted(set(search.experiments)))),
        plan_filter(search.filter),
        parse_order_by(search.order_by),
        _HIDDEN[search.deleted_view],
    )


def _purpose(search: Search) -> str:
    """What a token belongs to: everything of the search but its pages."""
    what = [
        search.namespace,
        sorted(set(search.experiments)),
        search.filter,
        list(search.order_by),
        _HIDDEN[search.deleted_view],
    ]
    return "search:" + hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _place(plan: SearchPlan, answer: Answer, row: int) -> list[SortValue]:
    """The row's tuple in the order."""
    place: list[SortValue] = []
    for column in plan.columns:
        if column.type_name == "run_id":
            place.append(answer.array("run_id")[row].tobytes().hex())
        elif column.type_name == "String":
            place.append(answer.texts(column.name)[row])
        else:
            place.append(answer.array(column.name)[row].item())
    return place
