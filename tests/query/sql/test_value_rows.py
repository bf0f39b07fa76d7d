"""Values of many runs as rows: which tables they read, and what of the runs."""

from __future__ import annotations

import pytest
from fleetlog_core import limits
from fleetlog_query.language.quantity import quantity_of
from fleetlog_query.language.values import Computed, Key, Series
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope
from fleetlog_query.sql.value_rows import computed_rows, value_rows

SCOPE = Scope("default", (1,))
THEN = Scope("default", (1,), as_of=AsOf((10,), 5))


def rows_of(text: str, scope: Scope = SCOPE, among: str = "") -> str:
    value = quantity_of(text, "value")
    assert isinstance(value, Key | Series)
    return value_rows(value, scope, Binds(), among)


@pytest.mark.parametrize(
    ("text", "tables", "others"),
    [
        ("metrics.x", {"attrs"}, {"series", "points", "rollup", "runs"}),
        ("params.x", {"attrs"}, {"series", "points", "rollup", "runs"}),
        ("start_time", {"runs"}, {"attrs", "series", "points", "rollup"}),
        ("min(metrics.x)", {"series"}, {"attrs", "points", "rollup"}),
        ("first(metrics.x)", {"series"}, {"attrs", "points", "rollup"}),
        ("min(metrics.x WHERE step BETWEEN 128 AND 1279)", {"series", "rollup"}, {"points"}),
        ("min(metrics.x WHERE step BETWEEN 100 AND 1279)", {"series", "rollup", "points"}, set()),
        ("min(metrics.x WHERE rank = 1)", {"series", "points"}, {"rollup"}),
        ("last(metrics.x WHERE step < 128)", {"series", "points"}, {"rollup"}),
    ],
)
def test_a_value_reads_as_few_tables_as_will_do(text: str, tables: set[str], others: set[str]) -> None:
    sql = rows_of(text)
    assert all(f"FROM {table} " in sql for table in tables)
    assert not any(f"FROM {table} " in sql for table in others)


def test_as_of_a_position_points_stand_in_for_series_that_went_on() -> None:
    assert "FROM points" not in rows_of("max(metrics.x)")
    assert "FROM points" in rows_of("max(metrics.x)", THEN)
    assert "FROM rollup" not in rows_of("max(metrics.x WHERE step BETWEEN 0 AND 1279)", THEN)
    assert "off < " in rows_of("max(metrics.x WHERE step BETWEEN 0 AND 1279)", THEN)


def test_reads_of_points_are_bounded_and_kept_to_the_runs_that_are_left() -> None:
    sql = rows_of("max(metrics.x WHERE rank = 1)", among="run_id IN (SELECT 1)")
    assert f"max_rows_to_read = {limits.FILTER_POINTS}" in sql
    assert "AND run_id IN (SELECT 1)" in sql


def test_a_count_is_zero_where_a_run_has_no_point_in_the_window() -> None:
    assert "toUInt64(0) AS c" in rows_of("count(metrics.x WHERE step < 10)")
    assert "toUInt64(0) AS c" not in rows_of("max(metrics.x WHERE step < 10)")


def test_params_that_are_no_numbers_have_no_value() -> None:
    assert "NOT isNaN(num) OR type = 4" in rows_of("params.x")
    assert "isNaN" not in rows_of("metrics.x")


def test_a_calculation_is_of_runs_that_have_all_its_parts() -> None:
    value = quantity_of("metrics.x / metrics.y - metrics.x * 2.5", "value")
    assert isinstance(value, Computed)
    binds = Binds()
    sql = computed_rows(value, SCOPE, binds)
    assert sql.count("UNION ALL") == 1
    assert sql.endswith("GROUP BY run_id HAVING count() = 2")
    assert 2.5 in binds.values.values()
