"""Searches as statements.

The complete form sorts the runs that match. With an order by a metric or a number param the `leaders` statement comes
first: it takes the first runs of one narrow range of `attrs`, and the complete form is asked about these alone. It is
asked about all runs only when the leaders don't fill the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_core.warehouse.port import Statement

from fleetlog_query.conditions import (
    Scope,
    SearchBinds,
    attribute_there,
    attribute_value,
    condition,
    on_key,
    tests_attributes,
)
from fleetlog_query.filter.fields import TYPES, Attribute, Key, Kind, Type
from fleetlog_query.filter.plan import Plan
from fleetlog_query.order import MISSING, NAN, NUMBER, TEXT, OrderKey

LEADERS = 5_000
"""More runs than this that share the same first values are not passed on by id."""

SortValue = int | float | str
"""Of a column of the order; run ids as hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class SortColumn:
    """A column that the answer has and is sorted by. `type_name` is UInt8, Int64, Float64, String or run_id."""

    name: str
    sql: str
    type_name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """A search, resolved. `hidden` is the value of `runs.deleted` to look for, None for both."""

    scope: Scope
    filter: Plan | None
    order: tuple[OrderKey, ...]
    hidden: int | None

    @property
    def columns(self) -> tuple[SortColumn, ...]:
        """What the order is made of, in order; every run has another tuple of these."""
        keys = [column for place, key in enumerate(self.order) for column in _columns(place, key)]
        return (
            *keys,
            SortColumn("o_start", "toUnixTimestamp64Milli(start_time)", "Int64", True),
            SortColumn("o_run", "run_id", "run_id", False),
        )


def search_statement(
    search: SearchPlan, rows: int, after: Sequence[SortValue] | None, among: Sequence[bytes] | None = None
) -> Statement:
    """The first `rows` runs in order, after the tuple `after`, among all runs or those given.

    Answers run_id, experiment and the columns of the order but o_run.
    """
    binds = SearchBinds()
    columns = search.columns
    wanted = "".join(f", {column.sql} AS {column.name}" for column in columns if column.name != "o_run")
    joins = "".join(
        f" LEFT JOIN ({_values(search.scope, key.name, binds, among)}) AS k{place} ON k{place}.run_id = r.run_id"
        for place, key in enumerate(search.order)
        if isinstance(key.name, Key)
    )
    where = f" WHERE {_after(columns, after, binds)}" if after is not None else ""
    order = ", ".join(f"{_sorted(column)} {'DESC' if column.descending else 'ASC'}" for column in columns)
    sql = (
        f"SELECT r.run_id AS run_id, experiment{wanted} FROM ({_runs(search, binds, among)}) AS r{joins}{where}"
        f" ORDER BY {order} LIMIT {int(rows)}"
    )
    return Statement(sql, binds.values)


def leaders_statement(search: SearchPlan, rows: int, after: Sequence[SortValue] | None) -> Statement | None:
    """At least `rows` runs (and all that tie with the last) that come first by the first key, deleted ones among them.

    None when the order or the place in it does not allow it: the first key must be a number, and the page among
    the numbers.
    """
    if not search.order or not isinstance(search.order[0].name, Key):
        return None
    first = search.order[0]
    key = search.order[0].name
    if key.kind is Kind.TAG or (after is not None and after[0] != NUMBER):
        return None
    binds = SearchBinds()
    where = [search.scope.condition(binds), on_key(key, binds), "NOT isNaN(num)"]
    if after is not None:
        where.append(f"num {'<=' if first.descending else '>='} {binds.number(float(after[1]))}")
    if search.filter is not None:
        matching = condition(search.filter, search.scope, binds)
        if tests_attributes(search.filter):
            matching = (
                f"run_id IN (SELECT run_id FROM runs FINAL WHERE {search.scope.condition(binds)} AND ({matching}))"
            )
        where.append(f"({matching})")
    direction = "DESC" if first.descending else "ASC"
    sql = (
        f"SELECT run_id FROM (SELECT run_id, num FROM attrs FINAL WHERE {' AND '.join(where)}"
        f" ORDER BY num {direction} LIMIT {int(rows)} WITH TIES) LIMIT {LEADERS + 1}"
    )
    return Statement(sql, binds.values)


def _runs(search: SearchPlan, binds: SearchBinds, among: Sequence[bytes] | None) -> str:
    """The runs that match, with what the order needs of them."""
    where = [search.scope.condition(binds)]
    if among is not None:
        where.append(f"run_id IN {binds.run_ids(among)}")
    if search.hidden is not None:
        where.append(f"deleted = {int(search.hidden)}")
    if search.filter is not None:
        where.append(f"({condition(search.filter, search.scope, binds)})")
    names = {"run_id", "experiment", "start_time"}
    for key in search.order:
        if isinstance(key.name, Attribute) and key.name is not Attribute.EXPERIMENT_ID:
            names.add(key.name.value)
    return f"SELECT {', '.join(sorted(names))} FROM runs FINAL WHERE {' AND '.join(where)}"


def _values(scope: Scope, key: Key, binds: SearchBinds, among: Sequence[bytes] | None) -> str:
    """The rows of a key to join; `there` tells them from the defaults of a run that has none."""
    where = [scope.condition(binds)]
    where.append(on_key(key, binds))
    if among is not None:
        where.append(f"run_id IN {binds.run_ids(among)}")
    return f"SELECT run_id, num, str, type, 1 AS there FROM attrs FINAL WHERE {' AND '.join(where)}"


def _columns(place: int, key: OrderKey) -> list[SortColumn]:
    """Class, and number and text as far as the key may have them."""
    if isinstance(key.name, Attribute):
        there = attribute_there(key.name)
        value = attribute_value(key.name)
        is_number = TYPES[key.name] in (Type.NUMBER, Type.TIME)
        found = NUMBER if is_number else TEXT
        group = f"if({there}, {found}, {MISSING})"
        number, text = f"if({there}, {value}, 0.0)", f"if({there}, {value}, '')"
        has_number, has_text = is_number, not is_number
    else:
        row = f"k{place}"
        of_number = f"isNaN({row}.num), {NAN}, {NUMBER}"
        has_number, has_text = key.name.kind is not Kind.TAG, key.name.kind is not Kind.METRIC
        group = {
            Kind.METRIC: f"multiIf({row}.there = 0, {MISSING}, {of_number})",
            Kind.PARAM: f"multiIf({row}.there = 0, {MISSING}, NOT isNaN({row}.num), {NUMBER},"
            f" {row}.type = 4, {NAN}, {TEXT})",
            Kind.TAG: f"if({row}.there = 0, {MISSING}, {TEXT})",
        }[key.name.kind]
        number = f"if(o{place}_class = {NUMBER}, {row}.num, 0.0)"
        text = f"if(o{place}_class = {TEXT}, {row}.str, '')"
    columns = [SortColumn(f"o{place}_class", f"toUInt8({group})", "UInt8", False)]
    if has_number:
        columns.append(SortColumn(f"o{place}_number", number, "Float64", key.descending))
    if has_text:
        columns.append(SortColumn(f"o{place}_text", text, "String", key.descending))
    return columns


def _after(columns: Sequence[SortColumn], after: Sequence[SortValue], binds: SearchBinds) -> str:
    """The rows behind a tuple: behind in the first column, or equal there and behind in the rest."""
    sql = ""
    for column, value in reversed(list(zip(columns, after, strict=True))):
        sign = "<" if column.descending else ">"
        place = _place(column, value, binds)
        behind = f"{_sorted(column)} {sign} {place}"
        sql = f"({behind} OR ({_sorted(column)} = {place} AND {sql}))" if sql else behind
    return sql


def _place(column: SortColumn, value: SortValue, binds: SearchBinds) -> str:
    if column.type_name == "run_id":
        return binds.run_id(bytes.fromhex(str(value)))
    if column.type_name == "String":
        return binds.text(str(value))
    return binds.number(float(value)) if column.type_name == "Float64" else binds.whole(int(value))


def _sorted(column: SortColumn) -> str:
    return "r.run_id" if column.name == "o_run" else column.name
