"""One page of a search as a statement over `runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleetlog_core.warehouse.port import Statement

from fleetlog_query.language.conditions import Plan, leaves, reads
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import Key, Series, TextOf
from fleetlog_query.runs.run_rows import BRANCH_COLUMNS, RUN_COLUMNS
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition, kept_runs
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.order_by import joins, known_columns, number_rows, order_sql, sort_columns
from fleetlog_query.sql.scope import Scope, attrs_of
from fleetlog_query.sql.value_rows import series_of

_JOINED_COLUMNS = "run_id, experiment, name, user, state, start_time, end_time, parent_run_id, deleted"
"""What RUN_COLUMNS and orders are made from."""


@dataclass(frozen=True)
class PageQuery:
    """The first page of a search: which runs, in which order, how many."""

    scope: Scope
    plan: Plan | None
    keys: Sequence[OrderKey]
    size: int
    deleted_view: int


def page_statement(query: PageQuery, *, wide: bool, foremost: Mapping[bytes, float] | None = None) -> Statement:
    """The page and one row more, in order, with RUN_COLUMNS.

    With `foremost`, the first key's values by run id, only these runs are looked at.
    """
    binds, known, columns = Binds(), 0, sort_columns(query.keys)
    if foremost is not None:
        columns = [*known_columns(query.keys[0], foremost, binds), *columns[3:]]
        query, known = replace(query, scope=replace(query.scope, run_ids=tuple(foremost))), 1
    rows = _rows(query, known, binds)
    named = f"{RUN_COLUMNS}, {BRANCH_COLUMNS}" if query.scope.point_tables.branched else RUN_COLUMNS
    sql = f"SELECT {named}\n{rows}\nORDER BY {order_sql(columns)}\nLIMIT {query.size + 1}"
    return binds.statement(sql, wide=wide)


def order_statement(query: PageQuery, most: int | None) -> Statement:
    """The ids of the first `most` runs, in order; None = of all."""
    binds = Binds()
    rows = _rows(query, 0, binds)
    limit = "" if most is None else f"\nLIMIT {most}"
    return binds.statement(f"SELECT run_id\n{rows}\nORDER BY {order_sql(sort_columns(query.keys))}{limit}", wide=True)


def count_statement(query: PageQuery, most: int | None, *, wide: bool) -> Statement:
    """Statement of the count of runs that match, on all pages, as n; with `most`, no more are counted."""
    binds = Binds()
    rows = f"FROM {query.scope.runs(binds)} WHERE {' AND '.join(_where(query, binds))}"
    if most is not None:
        rows = f"FROM (SELECT run_id {rows} LIMIT {most})"
    return binds.statement(f"SELECT count() AS n {rows}", wide=wide)


def _where(query: PageQuery, binds: Binds) -> list[str]:
    where = [query.scope.sql(binds) + DeletedView.of(query.deleted_view).sql]
    if query.plan is not None:
        where.append(condition(query.plan, query.scope, binds))
    return where


def _rows(query: PageQuery, known: int, binds: Binds) -> str:
    """FROM and WHERE: the runs that match, with what they are sorted by; the first `known` keys are at hand."""
    where = " AND ".join(_where(query, binds))
    among = kept_runs(query.plan, query.scope, binds) if any(key.reads_windows for key in query.keys[known:]) else ""
    joined = joins(query.keys, query.scope, binds, known, among)
    source = query.scope.runs(binds)
    if not joined:
        # Analysis is most of what a small statement costs, and a query in a query is analysed twice.
        return f"FROM {source} WHERE {where}"
    # Where there are no branches nothing is read of them: these are columns of every run that is looked at.
    columns = f"{_JOINED_COLUMNS}, {BRANCH_COLUMNS}" if query.scope.point_tables.branched else _JOINED_COLUMNS
    return f"FROM (SELECT {columns} FROM {source} WHERE {where}) AS r\n{joined}"


def top_k_statement(query: PageQuery, count: int, *, wide: bool) -> Statement:
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
    """True if it is a condition on any table with run ids: it asks nothing of the columns of `runs`."""
    read = (value for leaf in leaves(plan) for value in reads(leaf))
    return not any(isinstance(value, Key) and value.kind == "attributes" for value in read)
