"""What runs are sorted by, in SQL."""

from __future__ import annotations

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.order_by import SortColumn, joins, known_columns, order_sql, parse_order, sort_columns
from fleetlog_query.sql.scope import Scope

SCOPE = Scope("default", (1,))


def test_every_order_ends_with_the_latest_start_and_then_the_run() -> None:
    for items in ([], ["metrics.x"], ["name", "params.y DESC"]):
        columns = sort_columns(parse_order(items))
        assert len(columns) == 3 * len(items) + 2
        assert columns[-2:] == [SortColumn("start_time", True), SortColumn("run_id")]


def test_what_is_missing_comes_last_whatever_the_direction() -> None:
    for item in ("metrics.x", "metrics.x DESC", "tags.y DESC", "end_time DESC", "params.z DESC"):
        class_, number, text = sort_columns(parse_order([item]))[:3]
        assert not class_.descending
        assert number.descending == text.descending == item.endswith("DESC")
        assert "3" in class_.sql


def test_a_column_that_says_nothing_is_constant() -> None:
    columns = sort_columns(parse_order(["name", "metrics.x"]))
    assert [one.is_constant for one in columns[:6]] == [False, True, False, False, False, True]


def test_only_keys_that_are_not_columns_of_runs_are_joined() -> None:
    keys, binds = parse_order(["start_time", "metrics.x", "tags.y", "end_time - start_time"]), Binds()
    sql = joins(keys, SCOPE, binds)
    assert sql.count("LEFT ANY JOIN") == 2
    assert "k1_run = run_id" in sql
    assert "k2_run = run_id" in sql
    assert {"x", "y"} <= set(map(str, binds.values.values()))
    assert joins(keys, SCOPE, Binds(), known=2).count("LEFT ANY JOIN") == 1


def test_what_says_nothing_is_left_out_of_the_order() -> None:
    assert order_sql(sort_columns(parse_order([]))) == "start_time DESC, run_id ASC"
    assert order_sql(sort_columns(parse_order(["name DESC"]))).count(" DESC") == 2


def test_numbers_that_are_at_hand_are_bound_once() -> None:
    (key,), binds = parse_order(["metrics.x DESC"]), Binds()
    class_, number, text = known_columns(key, {bytes(16): 1.5, bytes(15) + b"\x01": 2.5}, binds)
    assert list(binds.values.values()) == [["00" * 16, "00" * 15 + "01"], [1.5, 2.5]]
    assert number.descending
    assert class_.is_constant
    assert text.is_constant


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["name"] * (limits.ORDER_BY_KEYS + 1), f"at most {limits.ORDER_BY_KEYS}"),
        (
            [f"min(metrics.x WHERE step > {place}) ASC" for place in range(limits.FILTER_WINDOWS + 1)],
            "keys" if limits.FILTER_WINDOWS >= limits.ORDER_BY_KEYS else "windows",
        ),
    ],
    ids=["keys", "windows"],
)
def test_an_order_has_a_bounded_size(items: list[str], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        parse_order(items)
    assert caught.value.reason == "ORDER_BY_INVALID"


def test_an_error_names_the_key_that_is_wrong() -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_order(["name", "metrics."])
    assert "order_by[1]" in str(caught.value)
