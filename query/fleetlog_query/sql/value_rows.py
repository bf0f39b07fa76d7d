"""A value of many runs as rows: `SELECT run_id, … AS v`, one row for each run that has it, v a Float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetlog_core import limits
from fleetlog_core.warehouse.packed import POINT_ORDER_SQL, value_of
from fleetlog_core.warehouse.schema import ParamType

from fleetlog_query.language.values import EVERY, Computed, Key, Reduction, Series, Value, Window, read_by
from fleetlog_query.sql.as_of import BY_KEY, POINTS_BOUND, changed_series, points_before, runs_of
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope, attribute_sql, attrs_of

_REDUCED = {
    "min": "if(sum(c) = sum(k), nan, min(lo) + 0.)",
    "max": "if(sum(c) = sum(k), nan, max(hi) + 0.)",
    "mean": "if(sum(c) = sum(k), nan, sum(t) / (sum(c) - sum(k)))",
    "count": "toFloat64(sum(c))",
}
"""Functions over lows, highs, counts, counts of NaN and totals. + 0. makes one zero of two."""
KEPT_SQL = "minv AS lo, maxv AS hi, n AS c, nans AS k, total AS t"
POINT_SQL = (
    "if(isNaN(value), inf, value) AS lo, if(isNaN(value), -inf, value) AS hi, toUInt64(1) AS c,"
    " toUInt64(isNaN(value)) AS k, if(isNaN(value), 0., value) AS t"
)
NO_POINT_SQL = "inf AS lo, -inf AS hi, toUInt64(0) AS c, toUInt64(0) AS k, 0. AS t"


def value_rows(value: Key | Series, scope: Scope, binds: Binds, among: str = "") -> str:
    """The rows. `among`: a condition on run_id that windows are kept to, since they read points."""
    if isinstance(value, Series):
        if value.window:
            return _windowed(value, value.window, scope, binds, among)
        return series_rows(value.function, [value.key], scope, binds, by="run_id")
    if value.kind == "attributes":
        sql, present, _ = attribute_sql(value.key)
        return f"SELECT run_id, {sql} AS v FROM {scope.runs(binds)} WHERE {scope.sql(binds)} AND {present}"
    number = f" AND (NOT isNaN(num) OR type = {ParamType.REAL})" if value.kind == "params" else ""
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
    return f"FROM series WHERE {scope.sql(binds)} AND {_key_sql([key], binds)}"


def series_rows(function: Reduction, keys: Sequence[str], scope: Scope, binds: Binds, by: str = "run_id, key") -> str:
    """The rows of a function over all points of metrics, with their keys; without them (`by`) of one metric alone."""
    if function in ("first", "last"):
        extreme, column = ("min", "first") if function == "first" else ("max", "last")
        parts, bound = _parts(f"{by}, {column} AS p", f"{by}, {POINT_ORDER_SQL} AS p", keys, scope, binds)
        return _unpacked(f"SELECT {by}, {extreme}(p) AS p FROM ({parts}) GROUP BY {by}{bound}", by)
    parts, bound = _parts(f"{by}, {KEPT_SQL}", f"{by}, {POINT_SQL}", keys, scope, binds)
    return f"SELECT {by}, {_REDUCED[function]} AS v FROM ({parts}) GROUP BY {by}{bound}"


def _parts(kept: str, point: str, keys: Sequence[str], scope: Scope, binds: Binds, among: str = "") -> tuple[str, str]:
    """SQL of the rows of `series`, where as of a position points stand in for series that went on; and its settings.

    `among`: a condition on run_id.
    """
    where = f"{scope.sql(binds)} AND {_key_sql(keys, binds)}"
    rows = f"SELECT {kept} FROM series WHERE {where}{among and f' AND {among}'}"
    if scope.as_of is None:
        return rows, ""
    changed = changed_series(BY_KEY, where, scope.as_of, binds)
    points = (
        f"FROM {scope.point_tables.points(runs_of(changed), _key_sql(keys, binds), binds)}"
        f" WHERE namespace = {binds.text(scope.namespace)} AND {_key_sql(keys, binds)}"
        f" AND {points_before(changed, scope.as_of, binds)}"
    )
    return (
        f"{rows} AND (run_id, key) NOT IN ({changed}) UNION ALL SELECT {point} {points}",
        f" SETTINGS {POINTS_BOUND}",
    )


def _key_sql(keys: Sequence[str], binds: Binds) -> str:
    return f"key = {binds.text(keys[0])}" if len(keys) == 1 else f"key IN {binds.texts(keys)}"


def _unpacked(packed: str, by: str = "run_id") -> str:
    return f"SELECT {by}, {value_of('p')} AS v FROM ({packed})"


def _windowed(series: Series, window: Window, scope: Scope, binds: Binds, among: str) -> str:
    bound = f" SETTINGS max_rows_to_read = {limits.FILTER_POINTS}"
    runs = f"run_id IN (SELECT run_id {series_of(series.key, scope, binds)}{among and f' AND {among}'})"
    before = f" AND off < {scope.as_of.bound(binds)}" if scope.as_of is not None else ""
    tables, key = scope.point_tables, _key_sql([series.key], binds)
    rows = f"WHERE namespace = {binds.text(scope.namespace)} AND {runs} AND {key}{before}"
    all_points = tables.points(runs, key, binds)
    points = f"FROM {all_points} {rows}{_ranges(window, binds)}"
    if series.function in ("first", "last"):
        extreme = "min" if series.function == "first" else "max"
        return _unpacked(f"SELECT run_id, {extreme}({POINT_ORDER_SQL}) AS p {points} GROUP BY run_id{bound}")
    # What is kept of 128 steps does not tell when they came.
    buckets, edges = window.split() if scope.as_of is None else (None, [])
    if buckets is None:
        parts = [f"SELECT run_id, {POINT_SQL} {points}"]
    else:
        low, high = binds.whole(buckets[0]), binds.whole(buckets[1])
        rollup = tables.rollup(runs, key, binds)
        parts = [f"SELECT run_id, {KEPT_SQL} FROM {rollup} {rows} AND b >= {low} AND b <= {high}"]
        if edges:
            steps = " OR ".join(f"step BETWEEN {binds.whole(one)} AND {binds.whole(two)}" for one, two in edges)
            parts.append(f"SELECT run_id, {POINT_SQL} FROM {all_points} {rows} AND ({steps})")
    if series.function == "count":
        # A run that has the metric and no point in the window counts 0.
        none = f"run_id, {NO_POINT_SQL}"
        parts.append(_parts(none, none, [series.key], scope, binds, among)[0])
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
