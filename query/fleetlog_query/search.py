"""SearchRuns' core: which runs, in which order, a page at a time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fleetlog_core import limits
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.binds import Binds
from fleetlog_query.filter.plan import Plan, plan_of
from fleetlog_query.order import OrderKey, SortColumn, after, joins, parse_order, sort_columns
from fleetlog_query.page_token import PageTokens, check_page_size
from fleetlog_query.statement import Scope, attrs_of, condition

DEFAULT_PAGE = 100


@dataclass(frozen=True)
class Search:
    """What is asked: see SearchRunsRequest."""

    namespace: str
    experiments: tuple[int, ...]
    filter: str = ""
    order_by: tuple[str, ...] = ()
    page_size: int = 0
    page_token: str = ""
    deleted_view: int = query_pb2.DELETED_VIEW_ACTIVE


@dataclass(frozen=True)
class Hit:
    """A run that was found."""

    run_id: bytes
    experiment: int


@dataclass(frozen=True)
class SearchPage:
    """Runs in order, and the token of the page that follows; "" at the end."""

    hits: list[Hit]
    next_page_token: str


@dataclass(frozen=True)
class _Planned:
    scope: Scope
    plan: Plan | None
    keys: list[OrderKey]
    columns: list[SortColumn]
    last: list[Any] | None
    size: int
    deleted_view: int


class Searcher:
    """Compiles searches and runs them."""

    def __init__(self, warehouse: Warehouse, token_key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._warehouse = warehouse
        self._tokens = PageTokens(token_key)

    def search(self, search: Search, timeout_seconds: float) -> SearchPage:
        """One page. InvalidArgument for a filter, order or token that is wrong; TimedOut."""
        size = check_page_size(search.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        purpose = _purpose(search)
        keys = parse_order(search.order_by)
        last = self._tokens.read(purpose, search.page_token) if search.page_token else None
        scope = Scope(search.namespace, search.experiments)
        plan = plan_of(search.filter, self._clock() * 1000)
        planned = _Planned(scope, plan, keys, sort_columns(keys), last, size, search.deleted_view)
        if not search.experiments:
            return SearchPage([], "")
        answer = self._page(planned, timeout_seconds)
        hits = [
            Hit(run_id.tobytes(), int(experiment))
            for run_id, experiment in zip(answer.array("run_id")[:size], answer.array("experiment")[:size], strict=True)
        ]
        token = ""
        if answer.rows > size:
            token = self._tokens.make(purpose, _values(answer, planned.columns, size - 1))
        return SearchPage(hits, token)

    def _page(self, planned: _Planned, timeout_seconds: float) -> Answer:
        """The page and one row more. By a metric: look among the foremost values first, before all runs are joined."""
        if planned.keys and planned.keys[0].kind == "metrics":
            bound = self._bound(planned, timeout_seconds)
            if bound is not None:
                answer = self._warehouse.select(page_statement(planned, bound), timeout_seconds=timeout_seconds)
                if answer.rows > planned.size:
                    return answer
        return self._warehouse.select(page_statement(planned, None), timeout_seconds=timeout_seconds)

    def _bound(self, planned: _Planned, timeout_seconds: float) -> float | None:
        """The value up to which there are enough runs for the page; None when there are not."""
        statement = bound_statement(planned)
        if statement is None:
            return None
        answer = self._warehouse.select(statement, timeout_seconds=timeout_seconds)
        return float(answer.array("num")[0]) if answer.rows else None


def bound_statement(planned: _Planned) -> Statement | None:
    """The value of the last row of the page and some more (deleted runs may be among them)."""
    last = planned.last
    if last is not None and last[0] != 0:
        return None
    binds = Binds()
    key = planned.keys[0]
    rows = attrs_of(key.kind, key.key, planned.scope, binds)
    if last is not None:
        rows += f" AND num {'<=' if key.descending else '>='} {binds.number(last[1])}"
    if planned.plan is not None:
        plan = condition(planned.plan, planned.scope, binds)
        rows += f" AND run_id IN (SELECT run_id FROM runs FINAL WHERE {planned.scope.sql(binds)} AND {plan})"
    way = "DESC" if key.descending else "ASC"
    sql = f"SELECT num {rows} AND NOT isNaN(num) ORDER BY num {way} LIMIT 1 OFFSET {planned.size + 10}"
    return Statement(sql, binds.values)


def page_statement(planned: _Planned, bound: float | None) -> Statement:
    """The page, in order; with a bound only runs whose first key is within it."""
    binds = Binds()
    where = [planned.scope.sql(binds)]
    if planned.deleted_view in (query_pb2.DELETED_VIEW_UNSPECIFIED, query_pb2.DELETED_VIEW_ACTIVE):
        where.append("deleted = 0")
    elif planned.deleted_view == query_pb2.DELETED_VIEW_DELETED:
        where.append("deleted = 1")
    if planned.plan is not None:
        where.append(condition(planned.plan, planned.scope, binds))
    if bound is not None:
        key = planned.keys[0]
        rows = attrs_of(key.kind, key.key, planned.scope, binds)
        within = f"num {'>=' if key.descending else '<='} {binds.number(bound)}"
        if planned.last is not None:
            within += f" AND num {'<=' if key.descending else '>='} {binds.number(planned.last[1])}"
        where.append(f"run_id IN (SELECT run_id {rows} AND {within})")
    runs = (
        "SELECT run_id, experiment, name, user, state, start_time, end_time, parent_run_id"
        f" FROM runs FINAL WHERE {' AND '.join(where)}"
    )
    columns = planned.columns
    selected = ", ".join(f"{column.sql} AS s{place}" for place, column in enumerate(columns))
    sql = f"SELECT run_id, experiment, {selected}\nFROM ({runs}) AS r\n{joins(planned.keys, planned.scope, binds)}"
    if planned.last is not None:
        sql += f"\nWHERE {after(columns, planned.last, binds)}"
    order = ", ".join(f"s{place} {'DESC' if column.descending else 'ASC'}" for place, column in enumerate(columns))
    return Statement(f"{sql}\nORDER BY {order}\nLIMIT {planned.size + 1}", binds.values)


def _values(answer: Answer, columns: Sequence[SortColumn], row: int) -> list[Any]:
    values: list[Any] = []
    for place, column in enumerate(columns):
        if column.type == "text":
            values.append(answer.texts(f"s{place}")[row])
        else:
            number = answer.array(f"s{place}")[row].item()
            values.append(int(number) if column.type == "whole" else float(number))
    return values


def _purpose(search: Search) -> str:
    """What a token belongs to: everything of the search but the page."""
    what = [search.namespace, search.experiments, search.filter, search.order_by, search.deleted_view]
    return "search:" + hashlib.sha256(json.dumps(what).encode()).hexdigest()
