from __future__ import annotations

import pytest
from fleetlog_query.language.conditions import reads_points
from fleetlog_query.language.explain import explain, tables
from fleetlog_query.language.plan import plan_of
from fleetlog_query.sql.order_by import parse_order


def test_a_plan_in_words() -> None:
    plan = plan_of(
        "metrics.x < 3 AND (tags.a = 'b' OR NOT params.lr < 2) AND start_time > now() - 7d AND state != 'failed'"
        " AND min(metrics.y WHERE step BETWEEN 10 AND 20) < metrics.x * 2 AND tags.z IS NULL"
        " AND metrics.n IN (1, 2, 3, 4, 5, 6, 7, 8)",
        1_700_000_000_000.0,
    )
    assert explain(plan) == [
        "all of:",
        "  metrics.x < 3",
        "  any of:",
        "    tags.a = 'b'",
        "    NOT params.lr < 2",
        "  start_time > 2023-11-07T22:13:20.000Z",
        "  state != FAILED",
        "  min(metrics.y WHERE step BETWEEN 10 AND 20) < (metrics.x * 2)",
        "  tags.z is missing",
        "  metrics.n IN (1, 2, 3, 4, 5, … 3 more)",
        "reads runs: attributes of runs",
        "reads attrs: the latest value of each param, tag and metric, and datasets",
        "reads series: what is known of each metric over all its points",
        "reads points: the points themselves, 100,000,000 at most",
    ]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ["runs"]),
        ("name = 'x'", ["runs"]),
        ("end_time - start_time > 1h", ["runs"]),
        ("metrics.x < 1", ["runs", "attrs"]),
        ("last(metrics.x) < 1", ["runs", "attrs"]),
        ("min(metrics.x) < 1", ["runs", "series"]),
        ("mean(metrics.x WHERE step >= 1280) < 1", ["runs", "series", "rollup"]),
        ("mean(metrics.x WHERE step BETWEEN 128 AND 255) < 1", ["runs", "series", "rollup"]),
        ("mean(metrics.x WHERE step >= 1281) < 1", ["runs", "series", "rollup", "points"]),
        ("mean(metrics.x WHERE step BETWEEN 128 AND 254) < 1", ["runs", "series", "points"]),
        ("max(metrics.x WHERE rank = 0) < 1", ["runs", "series", "points"]),
        ("max(metrics.x WHERE time > '2026-01-01') < 1", ["runs", "series", "points"]),
        ("first(metrics.x WHERE step >= 0) < 1", ["runs", "series", "points"]),
        ("at(metrics.x, 0) < 1", ["runs", "series", "points"]),
    ],
)
def test_what_is_read_is_known_before(text: str, read: list[str]) -> None:
    plan = plan_of(text)
    assert tables(plan) == read
    assert reads_points(plan) is ("points" in read)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ["runs", "run_history"]),
        ("params.x < 1", ["runs", "attrs", "run_history"]),
        ("tags.x = 'a'", ["runs", "attrs", "run_history", "tag_history"]),
        ("metrics.x < 1", ["runs", "attrs", "series", "run_history", "points"]),
        ("mean(metrics.x WHERE step >= 1280) < 1", ["runs", "series", "run_history", "points"]),
    ],
)
def test_what_was_is_read_from_histories_and_points(text: str, read: list[str]) -> None:
    assert tables(plan_of(text), past=True) == read
    assert explain(plan_of(text), past=True)[-1].startswith(f"reads {read[-1]}: ")


def test_odd_keys_are_shown_safely() -> None:
    assert explain(plan_of("tags.`a\n'b` = '\x07'"))[0] == "tags.`a\\n'b` = '\\x07'"


def test_an_order_in_words() -> None:
    keys = parse_order(["min(metrics.x WHERE step > 3) - metrics.y DESC", "tags.a"])
    assert explain(None, keys) == [
        "every run",
        "ordered by (min(metrics.x WHERE step >= 4) - metrics.y) DESC",
        "then by tags.a ASC",
        "reads runs: attributes of runs",
        "reads attrs: the latest value of each param, tag and metric, and datasets",
        "reads series: what is known of each metric over all its points",
        "reads rollup: metrics in buckets of 128 steps",
        "reads points: the points themselves, 100,000,000 at most",
    ]
