"""One page of a search as a statement over `runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fleetlog_core.warehouse.port import Statement
from fleetlog_proto.v1 import scope_pb2

from fleetlog_query.language.conditions import Plan, leaves, reads
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import Key, Series, TextOf
from fleetlog_query.runs.run_rows import RUN_COLUMNS
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition, kept_runs
from fleetlog_query.sql.order_by import SortColumn, after, joins, known_columns, number_rows
from fleetlog_query.sql.scope import Scope, attrs_of
from fleetlog_query.sql.value_rows import series_of


@dataclass(frozen=True)
class PageQuery:
    """A page: which runs, in which order, behind which one, how many."""

    scope: Scope
    plan: Plan | None
    keys: Sequence[OrderKey]
    columns: Sequence[SortColumn]
    last: Sequence[Any] | None
    size: int
    deleted_view: int


def page_statement(query: PageQuery, *, wide: bool, foremost: Mapping[bytes, float] | None = None) -> Statement:
    """The page and one row more, in order, with RUN_COLUMNS and the values of the order as s0, s1, …

    With `foremost`, the first key's values by run id, only these runs are looked at.
    """
    binds, known = Binds(), 0
    if foremost is not None:
        columns = [*known_columns(query.keys[0], foremost, binds), *query.columns[3:]]
        query, known = replace(query, columns=columns, scope=replace(query.scope, run_ids=tuple(foremost))), 1
    where = _where(query, binds)
    selected = ", ".join(f"{column.sql} AS s{place}" for place, column in enumerate(query.columns))
    order = ", ".join(f"s{place} {_way(column)}" for place, column in enumerate(query.columns))
    rows = _rows(query, where, known, binds)
    sql = f"SELECT {RUN_COLUMNS}, {selected}\n{rows}\nORDER BY {order}\nLIMIT {query.size + 1}"
    return binds.statement(sql, wide=wide)


def order_statement(query: PageQuery) -> Statement:
    """The ids of all runs behind the last one, in order, with the values of the order that are not the same for all.

    They are s0, s1, …; the last column, which is the id, is left out.
    """
    binds = Binds()
    columns = query.columns[:-1]
    values = "".join(
        f", {f'toLowCardinality({column.sql})' if column.type == 'text' else column.sql} AS s{place}"
        for place, column in enumerate(columns)
        if not column.constant
    )
    order = ", ".join(f"{column.sql} {_way(column)}" for column in columns if not column.constant)
    rows = _rows(query, _where(query, binds), 0, binds)
    return binds.statement(f"SELECT run_id{values}\n{rows}\nORDER BY {order}, run_id", wide=True)


def count_statement(query: PageQuery, most: int | None, *, wide: bool) -> Statement:
    """How many runs match, on all pages, as n; with `most`, no more are counted."""
    binds = Binds()
    rows = f"FROM {query.scope.runs(binds)} WHERE {' AND '.join(_where(query, binds))}"
    if most is not None:
        rows = f"FROM (SELECT run_id {rows} LIMIT {most})"
    return binds.statement(f"SELECT count() AS n {rows}", wide=wide)


def _way(column: SortColumn) -> str:
    return "DESC" if column.descending else "ASC"


def _where(query: PageQuery, binds: Binds) -> list[str]:
    where = [query.scope.sql(binds)]
    if query.deleted_view in (scope_pb2.DELETED_VIEW_UNSPECIFIED, scope_pb2.DELETED_VIEW_ACTIVE):
        where.append("deleted = 0")
    elif query.deleted_view == scope_pb2.DELETED_VIEW_DELETED:
        where.append("deleted = 1")
    else:
        where.append("deleted < 2")
    if query.plan is not None:
        where.append(condition(query.plan, query.scope, binds))
    return where


def _rows(query: PageQuery, where: Sequence[str], known: int, binds: Binds) -> str:
    """FROM and WHERE: runs behind the last one, with what they are sorted by; the first `known` keys are at hand."""
    among = kept_runs(query.plan, query.scope, binds) if any(key.reads_windows for key in query.keys[known:]) else ""
    joined = joins(query.keys, query.scope, binds, known, among)
    source = query.scope.runs(binds)
    behind = [] if query.last is None else [after(query.columns, query.last, binds)]
    if not joined:
        # Analysis is most of what a small statement costs, and a query in a query is analysed twice.
        return f"FROM {source} WHERE {' AND '.join([*where, *behind])}"
    runs = (
        "SELECT run_id, experiment, name, user, state, start_time, end_time, parent_run_id, deleted"
        f" FROM {source} WHERE {' AND '.join(where)}"
    )
    return f"FROM ({runs}) AS r\n{joined}" + "".join(f"\nWHERE {one}" for one in behind)


def foremost_statement(query: PageQuery, count: int, *, wide: bool) -> Statement:
    """Runs whose first key is among the `count` foremost numbers, as num, in that order; deleted ones too.

    Of a key, and of the lowest or highest of a metric, numbers that runs no longer have may be among them: telling them
    costs several times the rest.
    """
    binds = Binds()
    key = query.keys[0]
    if isinstance(key.value, Key):
        number, rows = "num", attrs_of(key.value.kind, key.value.key, query.scope, binds, superseded=True)
    elif isinstance(key.value, Series) and (extreme := extreme_of(key.value)) is not None:
        number, rows = extreme, f"{series_of(key.value.key, query.scope, binds)} AND n > nans"
    elif isinstance(key.value, TextOf):
        raise TypeError("texts have no numbers to be foremost by")
    else:
        among = kept_runs(query.plan, query.scope, binds) if key.reads_windows else ""
        number, rows = "v", f"FROM ({number_rows(key.value, query.scope, binds, among)}) WHERE 1"
    if query.last is not None:
        rows += f" AND {number} {'<=' if key.descending else '>='} {binds.number(query.last[1])}"
    if query.plan is not None:
        plan = condition(query.plan, query.scope, binds)
        if _only_keys(query.plan):
            rows += f" AND {plan}"
        else:
            rows += f" AND run_id IN (SELECT run_id FROM runs FINAL WHERE {query.scope.sql(binds)} AND {plan})"
    way = "DESC" if key.descending else "ASC"
    sql = f"SELECT run_id, {number} AS num {rows} AND NOT isNaN({number}) ORDER BY {number} {way} LIMIT {count}"
    return binds.statement(sql, wide=wide)


def extreme_of(series: Series) -> str | None:
    """The column of `series` of which one of a run's rows has its number; None = there is none."""
    return {"min": "minv", "max": "maxv"}.get(series.function) if series.window is None else None


def extremes_statement(series: Series, namespace: str, run_ids: Sequence[bytes]) -> Statement:
    """The lowest or highest of a metric as v, of those of some runs that have a number; + 0. makes one zero of two."""
    binds = Binds()
    where = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(run_ids)}"
    sql = (
        f"SELECT run_id, {series.function}({extreme_of(series)}) + 0. AS v FROM run_series WHERE {where}"
        f" AND key = {binds.text(series.key)} AND n > nans GROUP BY run_id"
    )
    return Statement(sql, binds.values)


def _only_keys(plan: Plan) -> bool:
    """Whether it is a condition on any table with run ids: it asks nothing of the columns of `runs`."""
    read = (value for leaf in leaves(plan) for value in reads(leaf))
    return not any(isinstance(value, Key) and value.kind == "attributes" for value in read)
