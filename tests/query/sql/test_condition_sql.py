"""What a plan becomes in SQL: how many look-ups it takes, and that no value of it stands in the text."""

from __future__ import annotations

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.plan import plan_of
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition, conditions, kept_runs
from fleetlog_query.sql.scope import Scope

RUN = bytes(range(16)).hex()


def compiled(text: str, scope: Scope | None = None) -> tuple[str, Binds]:
    plan, binds = plan_of(text), Binds()
    assert plan is not None
    return condition(plan, scope or Scope("default", (1,)), binds), binds


@pytest.mark.parametrize(
    ("text", "lookups"),
    [
        ("metrics.x < 1", 1),
        ("metrics.x > 0 AND metrics.x < 1", 1),
        ("metrics.x > 0 AND params.x < 1", 2),
        ("metrics.x > 0 OR params.y < 1 OR tags.z = 'a'", 1),
        ("(metrics.x > 0 OR params.y < 1) AND tags.z = 'a'", 2),
        ("NOT (metrics.x > 0 OR params.y < 1)", 2),
        ("datasets.name = 'a' AND datasets.name = 'b'", 2),
        ("metrics.x IS NULL", 1),
        ("name = 'a' AND state = 'FINISHED'", 0),
    ],
)
def test_conditions_on_one_key_are_one_look_up(text: str, lookups: int) -> None:
    assert compiled(text)[0].count("FROM attrs FINAL") == lookups


def test_an_and_of_many_keys_is_counted_in_one_look_up() -> None:
    sql, _ = compiled(" AND ".join(f"metrics.x{place} < 1" for place in range(9)))
    assert sql.count("FROM attrs FINAL") == 1
    assert "GROUP BY run_id HAVING count() = 9" in sql
    few, _ = compiled("metrics.x < 1 AND metrics.y < 1")
    assert "HAVING" not in few
    window, _ = compiled("metrics.x < 1 AND metrics.y < 1", Scope("default", (1,), since=bytes(16)))
    assert "HAVING count() = 2" in window


def test_no_value_stands_in_the_text() -> None:
    sql, binds = compiled("tags.`secret key` = 'secret value' AND metrics.x IN (123.25, 7) AND name LIKE 'secret%'")
    assert "secret" not in sql
    assert "123.25" not in sql
    assert {"secret key", "secret value", "secret%"} <= {one for one in binds.values.values() if isinstance(one, str)}
    assert [123.25, 7.0] in binds.values.values()


def test_each_look_up_stays_in_its_namespace_and_experiments() -> None:
    sql, binds = compiled("metrics.x < 1 AND params.y = 2 AND min(metrics.z) < 3", Scope("mine", (4, 5)))
    reads = sql.split(" FROM ")[1:]
    tables = [read for read in reads if read.startswith(("attrs", "series", "points", "rollup"))]
    assert len(tables) == 3
    assert all("namespace = {p" in read for read in tables)
    assert "mine" in binds.values.values()
    assert [4, 5] in binds.values.values()


def test_ids_of_runs_are_compared_as_bytes_and_what_is_no_id_equals_none() -> None:
    sql, binds = compiled(f"run_id IN ('{RUN}', 'nonsense')")
    assert "run_id IN (SELECT toFixedString(unhex(" in sql
    assert [RUN] in binds.values.values()
    negated, _ = compiled(f"run_id != '{RUN}'")
    assert "run_id NOT IN" in negated


def test_negated_numbers_are_hidden_from_skipping_indexes() -> None:
    for text in ("metrics.x != 1", "NOT (metrics.x < 1)", "metrics.x NOT IN (1, 2)"):
        assert "identity(" in compiled(text)[0]
    for text in ("metrics.x = 1", "metrics.x < 1", "NOT (tags.x = 'a')"):
        assert "identity(" not in compiled(text)[0]


def test_nan_is_asked_for_by_name() -> None:
    assert "isNaN(num)" in compiled("metrics.x = nan")[0]
    assert "OR isNaN(num)" in compiled("metrics.x IN (1, nan)")[0]


def test_windows_look_only_at_runs_that_the_rest_leaves() -> None:
    window = "min(metrics.x WHERE rank = 1) < 1"
    alone, _ = compiled(window)
    beside, _ = compiled(f"{window} AND tags.team = 'a'")
    assert alone.count("FROM attrs") == 0
    assert beside.count("FROM attrs") == 2
    binds = Binds()
    plans = [plan_of("tags.team = 'a'"), plan_of(window)]
    first, second = conditions([plan for plan in plans if plan is not None], Scope("default", (1,)), binds)
    assert "points" not in first
    assert second.count("FROM attrs") == 1


def test_runs_that_a_plan_leaves_are_known_without_its_windows() -> None:
    binds = Binds()
    kept = kept_runs(plan_of("min(metrics.x WHERE rank = 1) < 1 AND tags.team = 'a'"), Scope("default", (1,)), binds)
    assert kept.startswith("run_id IN (SELECT run_id FROM runs")
    assert "points" not in kept
    assert kept_runs(None, Scope("default", (1,)), Binds()) == ""
    assert kept_runs(plan_of("min(metrics.x WHERE rank = 1) < 1"), Scope("default", (1,)), Binds()) == ""


def test_too_many_look_ups_are_refused_with_a_way_out() -> None:
    halves = [f"(metrics.a{place} < 1 AND metrics.b{place} < 1)" for place in range(limits.FILTER_LOOKUPS // 2 + 1)]
    with pytest.raises(InvalidArgument, match="keys that are joined by OR take one together") as caught:
        compiled(" OR ".join(halves))
    assert caught.value.reason == "FILTER_TOO_LARGE"
