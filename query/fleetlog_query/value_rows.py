"""A value of many runs as rows: `SELECT run_id, … AS v`, one row for each run that has it, v a Float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetlog_core import limits

from fleetlog_query.binds import Binds
from fleetlog_query.filter.values import EVERY, Computed, Key, Series, Value, Window, read_by
from fleetlog_query.scope import Scope, attribute_sql, attrs_of

_WORD = 18446744073709551615
_SIGN = 9223372036854775808
_REDUCED = {
    "min": "if(sum(c) = sum(k), nan, min(lo) + 0.)",
    "max": "if(sum(c) = sum(k), nan, max(hi) + 0.)",
    "mean": "if(sum(c) = sum(k), nan, sum(t) / (sum(c) - sum(k)))",
    "count": "toFloat64(sum(c))",
}
"""Over lows, highs, counts, counts of NaN and totals. + 0. makes one zero of two."""
KEPT_SQL = "minv AS lo, maxv AS hi, n AS c, nans AS k, total AS t"
POINT_SQL = (
    "if(isNaN(value), inf, value) AS lo, if(isNaN(value), -inf, value) AS hi, toUInt64(1) AS c,"
    " toUInt64(isNaN(value)) AS k, if(isNaN(value), 0., value) AS t"
)
NO_POINT_SQL = "inf AS lo, -inf AS hi, toUInt64(0) AS c, toUInt64(0) AS k, 0. AS t"
# As fleetlog_core.ordered packs them: step << 128 | time << 64 | value, each as a word of the same order.
_PACKED = (
    f"bitOr(bitOr(bitShiftLeft(toUInt256(bitXor(reinterpretAsUInt64(step), {_SIGN})), 128),"
    f" bitShiftLeft(toUInt256(bitXor(reinterpretAsUInt64(toUnixTimestamp64Milli(ts)), {_SIGN})), 64)),"
    f" toUInt256(multiIf(isNaN(value), 0, reinterpretAsUInt64(value) >= {_SIGN},"
    f" bitNot(reinterpretAsUInt64(value)), bitOr(reinterpretAsUInt64(value), {_SIGN}))))"
)


def value_rows(value: Key | Series, scope: Scope, binds: Binds, among: str = "") -> str:
    """The rows. `among`: a condition on run_id that windows are kept to, since they read points."""
    if isinstance(value, Series):
        return _windowed(value, value.window, scope, binds, among) if value.window else _whole(value, scope, binds)
    if value.kind == "attributes":
        sql, present, _ = attribute_sql(value.key)
        return f"SELECT run_id, {sql} AS v FROM runs FINAL WHERE {scope.sql(binds)} AND {present}"
    number = " AND (NOT isNaN(num) OR type = 4)" if value.kind == "params" else ""
    return f"SELECT run_id, num AS v {attrs_of(value.kind, value.key, scope, binds)}{number}"


def computed_rows(value: Computed, scope: Scope, binds: Binds, among: str = "") -> str:
    """The rows of a calculation, of the runs that have all its parts."""
    sources = list(dict.fromkeys(read_by(value)))
    rows = united_rows(sources, scope, binds, [among] * len(sources))
    sql = expression(value, lambda source: f"anyIf(v, i = {sources.index(source)})", binds.number)
    return f"SELECT run_id, {sql} AS v FROM ({rows}) GROUP BY run_id HAVING count() = {len(sources)}"


def united_rows(sources: Sequence[Key | Series], scope: Scope, binds: Binds, among: Sequence[str]) -> str:
    """The rows of several values, `i` telling which; `among` for each of them."""
    rows = [value_rows(source, scope, binds, kept) for source, kept in zip(sources, among, strict=True)]
    return " UNION ALL ".join(f"SELECT run_id, {place} AS i, v FROM ({row})" for place, row in enumerate(rows))


def expression(value: Value, sql_of: Callable[[Key | Series], str], constant: Callable[[float], str]) -> str:
    """A value as SQL, over what `sql_of` says each thing that is read is."""
    if isinstance(value, Computed):
        left, right = expression(value.left, sql_of, constant), expression(value.right, sql_of, constant)
        return f"({left} {value.sign} {right})"
    return constant(value) if isinstance(value, float) else sql_of(value)


def series_of(key: str, scope: Scope, binds: Binds) -> str:
    """The rows of `series` of a metric, not yet added up: FROM and WHERE."""
    return f"FROM series WHERE {scope.sql(binds)} AND key = {binds.text(key)}"


def _whole(series: Series, scope: Scope, binds: Binds) -> str:
    rows = series_of(series.key, scope, binds)
    if series.function in ("first", "last"):
        extreme = "min(first)" if series.function == "first" else "max(last)"
        return _unpacked(f"SELECT run_id, {extreme} AS p {rows} GROUP BY run_id")
    return f"SELECT run_id, {_REDUCED[series.function]} AS v FROM (SELECT run_id, {KEPT_SQL} {rows}) GROUP BY run_id"


def _unpacked(packed: str) -> str:
    word = f"SELECT run_id, toUInt64(bitAnd(p, {_WORD})) AS w FROM ({packed})"
    bits = f"if(w >= {_SIGN}, bitXor(w, {_SIGN}), bitNot(w))"
    return f"SELECT run_id, if(w = 0, nan, reinterpretAsFloat64({bits})) AS v FROM ({word})"


def _windowed(series: Series, window: Window, scope: Scope, binds: Binds, among: str) -> str:
    bound = f" SETTINGS max_rows_to_read = {limits.FILTER_POINTS}"
    runs = f"run_id IN (SELECT run_id {series_of(series.key, scope, binds)}{among and f' AND {among}'})"
    rows = f"WHERE namespace = {binds.text(scope.namespace)} AND {runs} AND key = {binds.text(series.key)}"
    points = f"FROM points {rows}{_ranges(window, binds)}"
    if series.function in ("first", "last"):
        extreme = "min" if series.function == "first" else "max"
        return _unpacked(f"SELECT run_id, {extreme}({_PACKED}) AS p {points} GROUP BY run_id{bound}")
    buckets, edges = window.split()
    if buckets is None:
        parts = [f"SELECT run_id, {POINT_SQL} {points}"]
    else:
        low, high = binds.whole(buckets[0]), binds.whole(buckets[1])
        parts = [f"SELECT run_id, {KEPT_SQL} FROM rollup {rows} AND b >= {low} AND b <= {high}"]
        if edges:
            steps = " OR ".join(f"step BETWEEN {binds.whole(one)} AND {binds.whole(two)}" for one, two in edges)
            parts.append(f"SELECT run_id, {POINT_SQL} FROM points {rows} AND ({steps})")
    if series.function == "count":
        # A run that has the metric and no point in the window counts 0.
        parts.append(f"SELECT run_id, {NO_POINT_SQL} {series_of(series.key, scope, binds)}{among and f' AND {among}'}")
    return f"SELECT run_id, {_REDUCED[series.function]} AS v FROM ({' UNION ALL '.join(parts)}) GROUP BY run_id{bound}"


def _ranges(window: Window, binds: Binds) -> str:
    sql = ""
    for column, (low, high) in (
        ("step", window.steps), ("toUnixTimestamp64Milli(ts)", window.times), ("rank", window.ranks)
    ):  # fmt: skip
        if low != EVERY[0]:
            sql += f" AND {column} >= {binds.whole(low)}"
        if high != EVERY[1]:
            sql += f" AND {column} <= {binds.whole(high)}"
    return sql
