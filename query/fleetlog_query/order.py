"""order_by: what runs are sorted by, as expressions that a page can go on from.

Each key becomes a class (0 number, 1 NaN, 2 text, 3 missing), a number and a text. Classes always ascend; numbers and
texts go the key's way. Ties fall to start_time DESC, then run id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown

from fleetlog_query.binds import Binds
from fleetlog_query.filter.fields import Kind, resolve
from fleetlog_query.scope import Scope, attribute_sql, attrs_of

_ITEM = re.compile(
    r"\s*([A-Za-z_]\w*)(?:\s*\.\s*(`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|\w[\w./:-]*))?\s*(?:\s(ASC|DESC))?\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OrderKey:
    """One key of an order."""

    kind: Kind
    key: str
    descending: bool


@dataclass(frozen=True)
class SortColumn:
    """One expression of ORDER BY; `type` is that of its value in a token: number, whole, text or id."""

    sql: str
    descending: bool
    type: str


def parse_order(items: Sequence[str]) -> list[OrderKey]:
    """The keys. ORDER_BY_INVALID."""
    if len(items) > limits.ORDER_BY_KEYS:
        raise _invalid(0, f"{len(items)} keys, at most {limits.ORDER_BY_KEYS}")
    keys = []
    for place, item in enumerate(items):
        match = _ITEM.fullmatch(item) if len(item) <= 1000 else None
        if match is None:
            raise _invalid(place, f"{shown(item)} is not of the form 'metrics.val_loss ASC'")
        group, key, way = match.groups()
        if key is None:
            group, key = "", group
        elif key[0] in '`"':
            key = key[1:-1].replace(key[0] * 2, key[0])
        resolved = resolve(group.lower(), key)
        if isinstance(resolved, str):
            raise _invalid(place, resolved)
        keys.append(OrderKey(*resolved, (way or "ASC").upper() == "DESC"))
    return keys


def _invalid(place: int, what: str) -> InvalidArgument:
    return InvalidArgument.of_field("ORDER_BY_INVALID", f"order_by[{place}]", what)


def sort_columns(keys: Sequence[OrderKey]) -> list[SortColumn]:
    """All the expressions, over `runs` joined as `joins` says."""
    columns = []
    for place, key in enumerate(keys):
        number, text, class_ = _expressions(place, key)
        columns.append(SortColumn(class_, False, "whole"))
        columns.append(SortColumn(number, key.descending, "number"))
        columns.append(SortColumn(text, key.descending, "text"))
    columns.append(SortColumn("toUnixTimestamp64Milli(start_time)", True, "whole"))
    columns.append(SortColumn("lower(hex(run_id))", False, "text"))
    return columns


def _expressions(place: int, key: OrderKey) -> tuple[str, str, str]:
    """(number, text, class) of a key."""
    if key.kind == "attributes":
        sql, present, numeric = attribute_sql(key.key)
        if numeric:
            return f"if({present}, {sql}, 0.)", "''", f"if({present}, 0, 3)"
        return "0.", f"if({present}, {sql}, '')", f"if({present}, 2, 3)"
    found, number, text, type_ = f"k{place}_there", f"k{place}_num", f"k{place}_str", f"k{place}_type"
    value = f"if({found} = 1 AND NOT isNaN({number}), {number}, 0.)"
    if key.kind == "metrics":
        return value, "''", f"multiIf({found} = 0, 3, isNaN({number}), 1, 0)"
    if key.kind == "tags":
        return "0.", f"if({found} = 1, {text}, '')", f"if({found} = 0, 3, 2)"
    class_ = f"multiIf({found} = 0, 3, NOT isNaN({number}), 0, {type_} = 4, 1, 2)"
    return value, f"if({class_} = 2, {text}, '')", class_


def joins(keys: Sequence[OrderKey], scope: Scope, binds: Binds, known: int = 0) -> str:
    """The joins that bring the keys' values to rows of `runs`; not those of the first `known` keys."""
    parts = []
    for place, key in enumerate(keys):
        if place < known or key.kind == "attributes":
            continue
        rows = attrs_of(key.kind, key.key, scope, binds)
        parts.append(
            f"LEFT ANY JOIN (SELECT run_id AS k{place}_run, num AS k{place}_num, str AS k{place}_str,"
            f" type AS k{place}_type, toUInt8(1) AS k{place}_there {rows}) AS k{place} ON k{place}_run = run_id"
        )
    return "\n".join(parts)


def known_columns(key: OrderKey, numbers: Mapping[bytes, float]) -> list[SortColumn]:
    """The expressions of a key, as sort_columns makes them, when every run's number is at hand."""
    ids = ", ".join(f"'{run_id.hex().upper()}'" for run_id in numbers)
    values = ", ".join(map(repr, numbers.values()))
    number = f"transform(hex(run_id), [{ids}], [{values}], 0.)"
    return [
        SortColumn("0", False, "whole"),
        SortColumn(number, key.descending, "number"),
        SortColumn("''", False, "text"),
    ]


def after(columns: Sequence[SortColumn], last: Sequence[float | int | str], binds: Binds) -> str:
    """The condition of coming after a row with these values."""
    clauses = []
    equal: list[str] = []
    for column, value in zip(columns, last, strict=True):
        bound = _bound(column, value, binds)
        clauses.append(" AND ".join([*equal, f"{column.sql} {'<' if column.descending else '>'} {bound}"]))
        equal.append(f"{column.sql} = {bound}")
    return "(" + " OR ".join(f"({clause})" for clause in clauses) + ")"


def _bound(column: SortColumn, value: float | int | str, binds: Binds) -> str:
    if column.type == "text":
        return binds.text(str(value))
    return binds.whole(int(value)) if column.type == "whole" else binds.number(float(value))
