"""order_by: what runs are sorted by, as expressions.

Each key becomes a class (0 number, 1 NaN, 2 text, 3 missing), a number and a text. Classes always ascend; numbers and
texts go the key's way. Ties fall to start_time DESC, then run id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.warehouse.schema import ParamType

from fleetlog_query.language.order_key import OrderKey, parse_order_key
from fleetlog_query.language.values import EXACT, Computed, Key, Series, TextOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope, attribute_sql, attrs_of
from fleetlog_query.sql.value_rows import computed_rows, expression, value_rows


@dataclass(frozen=True)
class SortColumn:
    """One expression of ORDER BY."""

    sql: str
    descending: bool = False

    @property
    def is_constant(self) -> bool:
        """True if it is the same for every run."""
        return self.sql in ("''", "0.", "0")


def order_sql(columns: Sequence[SortColumn]) -> str:
    """Expressions behind ORDER BY."""
    return ", ".join(f"{one.sql} {'DESC' if one.descending else 'ASC'}" for one in columns if not one.is_constant)


def parse_order(items: Sequence[str], now_millis: float | None = None) -> list[OrderKey]:
    """The keys; `now_millis` is what now() is. ORDER_BY_INVALID, and the reasons of parse_order_key."""
    if len(items) > limits.ORDER_BY_KEYS:
        raise _invalid(f"{len(items)} keys, at most {limits.ORDER_BY_KEYS}")
    keys = [parse_order_key(item, f"order_by[{place}]", now_millis) for place, item in enumerate(items)]
    sources = {source for key in keys for source in key.sources}
    if len(sources) > limits.FILTER_LOOKUPS:
        raise _invalid(f"{len(sources)} names, at most {limits.FILTER_LOOKUPS}")
    found = sum(isinstance(source, Series) and source.window is not None for source in sources)
    if found > limits.FILTER_WINDOWS:
        raise _invalid(f"{found} windows, at most {limits.FILTER_WINDOWS}; each reads points")
    return keys


def _invalid(what: str) -> InvalidArgument:
    return InvalidArgument.of_field("ORDER_BY_INVALID", "order_by", what)


def sort_columns(keys: Sequence[OrderKey]) -> list[SortColumn]:
    """All the expressions, over `runs` joined as `joins` says."""
    columns = []
    for place, key in enumerate(keys):
        number, text, class_ = _expressions(place, key)
        columns.append(SortColumn(class_))
        columns.append(SortColumn(number, key.descending))
        columns.append(SortColumn(text, key.descending))
    columns.append(SortColumn("start_time", True))
    columns.append(SortColumn("run_id"))
    return columns


def _expressions(place: int, key: OrderKey) -> tuple[str, str, str]:
    """(number, text, class) of a key."""
    value = key.value.key if isinstance(key.value, TextOf) else key.value
    if isinstance(value, Key) and value.kind == "attributes":
        sql, present, numeric = attribute_sql(value.key)
        if numeric:
            return f"if({present}, {sql}, 0.)", "''", f"if({present}, 0, 3)"
        return "0.", f"if({present}, {sql}, '')", f"if({present}, 2, 3)"
    if key.of_attributes:
        parts = {source: attribute_sql(source.key) for source in key.sources}
        there = " AND ".join(dict.fromkeys(part[1] for part in parts.values()))
        number = expression(value, lambda source: parts[source][0], repr)
        return _numbers(f"({there})", number)
    found, number, text, type_ = f"k{place}_there = 1", f"k{place}_num", f"k{place}_str", f"k{place}_type"
    if not isinstance(value, Key) or value.kind == "metrics":
        return _numbers(found, number)
    if value.kind == "tags" or isinstance(key.value, TextOf):
        return "0.", f"if({found}, {text}, '')", f"if({found}, 2, 3)"
    class_ = f"multiIf(NOT {found}, 3, NOT isNaN({number}), 0, {type_} = {ParamType.REAL}, 1, 2)"
    rest = exact_rest_sql(number, text, type_)
    return _numbers(found, number)[0], f"multiIf({class_} = 2, {text}, {class_} = 0, {rest}, '')", class_


def exact_rest_sql(number: str, text: str, type_: str) -> str:
    """A text that orders params whose numbers are the same doubles: by how far a whole one is from its double, at most
    512; "" where doubles are exact."""
    whole = f"{type_} = {ParamType.WHOLE}"
    away = f"if({whole}, toInt64(toInt128OrZero({text}) - toInt128(if({whole}, {number}, 0.))), 0)"
    return f"if(abs({number}) < {EXACT}., '', leftPad(toString(1000 + {away}), 4, '0'))"


def _numbers(found: str, number: str) -> tuple[str, str, str]:
    value = f"if({found} AND NOT isNaN({number}), {number}, 0.)"
    return value, "''", f"multiIf(NOT {found}, 3, isNaN({number}), 1, 0)"


def joins(keys: Sequence[OrderKey], scope: Scope, binds: Binds, known: int = 0, among: str = "") -> str:
    """The joins that bring the keys' values to rows of `runs`; not those of the first `known` keys.

    `among`: a condition on run_id that windows, which read points, are kept to.
    """
    parts = []
    for place, key in enumerate(keys):
        if place < known or key.of_attributes:
            continue
        value = key.value.key if isinstance(key.value, TextOf) else key.value
        if isinstance(value, Key):
            columns, rows = ("num", "str", "type"), attrs_of(value.kind, value.key, scope, binds)
        else:
            columns, rows = ("v", "''", "0"), f"FROM ({number_rows(value, scope, binds, among)})"
        number, text, type_ = columns
        parts.append(
            f"LEFT ANY JOIN (SELECT run_id AS k{place}_run, {number} AS k{place}_num, {text} AS k{place}_str,"
            f" {type_} AS k{place}_type, toUInt8(1) AS k{place}_there {rows}) AS k{place} ON k{place}_run = run_id"
        )
    return "\n".join(parts)


def number_rows(value: Series | Computed, scope: Scope, binds: Binds, among: str = "") -> str:
    """Rows of a key that is calculated: `SELECT run_id, … AS v`."""
    if isinstance(value, Computed):
        return computed_rows(value, scope, binds, among)
    return value_rows(value, scope, binds, among)


def known_columns(key: OrderKey, numbers: Mapping[bytes, float], binds: Binds) -> list[SortColumn]:
    """The expressions of a key, as sort_columns makes them, when every run's number is at hand."""
    # The expression stands in the statement several times: what grows with the runs is bound once.
    ids, values = binds.texts([run_id.hex().upper() for run_id in numbers]), binds.reals(list(numbers.values()))
    number = f"transform(hex(run_id), {ids}, {values}, 0.)"
    return [SortColumn("0"), SortColumn(number, key.descending), SortColumn("''")]
