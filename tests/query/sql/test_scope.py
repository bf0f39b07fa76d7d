"""Where a search looks, as a condition."""

from __future__ import annotations

import pytest
from fleetlog_proto.v1 import scope_pb2
from fleetlog_query.language.fields import ATTRIBUTES
from fleetlog_query.language.values import Key
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import Scope, attribute_sql, attribute_text_sql, attrs_of, key_rows, shown_sql

LOW, HIGH = bytes(16), bytes([255]) * 16


@pytest.mark.parametrize(
    ("scope", "sql", "values"),
    [
        (Scope("a", (3,)), "namespace = {p0:String} AND experiment = {p1:Int64}", ["a", 3]),
        (Scope("a", (3, 4)), "namespace = {p0:String} AND experiment IN {p1:Array(UInt32)}", ["a", [3, 4]]),
        (
            Scope("a", (3,), since=LOW, until=HIGH),
            "namespace = {p0:String} AND experiment = {p1:Int64} AND run_id >= toFixedString(unhex({p2:String}), 16)"
            " AND run_id < toFixedString(unhex({p3:String}), 16)",
            ["a", 3, LOW.hex(), HIGH.hex()],
        ),
        (
            Scope("a", (3,), run_ids=(LOW, HIGH)),
            "namespace = {p0:String} AND experiment = {p1:Int64}"
            " AND run_id IN (SELECT toFixedString(unhex(arrayJoin({p2:Array(String)})), 16))",
            ["a", 3, [LOW.hex(), HIGH.hex()]],
        ),
        (
            Scope("a", (3,), stretches=((LOW, HIGH),)),
            "namespace = {p0:String} AND experiment = {p1:Int64} AND ((run_id >= toFixedString(unhex({p2:String}), 16)"
            " AND run_id <= toFixedString(unhex({p3:String}), 16)))",
            ["a", 3, LOW.hex(), HIGH.hex()],
        ),
    ],
    ids=["one experiment", "several", "a window", "runs", "stretches"],
)
def test_a_scope_is_a_condition_with_bound_values(scope: Scope, sql: str, values: list[object]) -> None:
    binds = Binds()
    assert scope.sql(binds) == sql
    assert list(binds.values.values()) == values


def test_rows_of_a_key_are_the_latest_unless_superseded_ones_will_do() -> None:
    scope = Scope("a", (3,))
    assert attrs_of("metrics", "x", scope, Binds()).startswith("FROM attrs FINAL WHERE namespace")
    assert attrs_of("metrics", "x", scope, Binds(), superseded=True).startswith("FROM attrs WHERE namespace")


def test_as_of_a_position_rows_come_from_the_histories() -> None:
    then = Scope("a", (3,), as_of=AsOf((10, 20), 5))
    assert key_rows([Key("tags", "x")], then, Binds()).startswith("FROM (")
    assert "tag_history" in key_rows([Key("tags", "x")], then, Binds())
    assert "run_history" in then.runs(Binds())
    assert Scope("a", (3,)).runs(Binds()) == "runs FINAL"


def test_every_attribute_has_an_expression_and_a_text() -> None:
    for key in ATTRIBUTES:
        sql, present, numeric = attribute_sql(key)
        text, there = attribute_text_sql(key)
        assert sql
        assert text
        assert there == present
        assert numeric is (ATTRIBUTES[key] in ("time", "number", "state"))
    assert attribute_sql("parent_run_id")[1] != "1"
    assert attribute_sql("end_time")[1] != "1"


def test_deleted_runs_are_hidden_unless_they_are_asked_for() -> None:
    assert shown_sql(scope_pb2.DELETED_VIEW_UNSPECIFIED) == " AND deleted = 0"
    assert shown_sql(scope_pb2.DELETED_VIEW_ACTIVE) == " AND deleted = 0"
    assert shown_sql(scope_pb2.DELETED_VIEW_DELETED) == " AND deleted = 1"
    assert shown_sql(scope_pb2.DELETED_VIEW_ALL) == " AND deleted < 2"
