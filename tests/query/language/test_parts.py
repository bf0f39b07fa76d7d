"""A filter's outermost parts, and values by themselves."""

from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.conditions import AllOf, Plan
from fleetlog_query.language.parts import parts_of
from fleetlog_query.language.plan import plan_of
from fleetlog_query.language.quantity import key_of, quantity_of
from fleetlog_query.language.values import Computed, Key, Series
from hypothesis import given, reject, settings

from tests.profiles import examples
from tests.query.random_filters import FILTER

NOW = 1.8e12


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  metrics.a < 1 ", ["metrics.a < 1"]),
        ("metrics.a < 1 AND params.b = 'x AND y'", ["metrics.a < 1", "params.b = 'x AND y'"]),
        ("params.a BETWEEN 1 AND 2 AND name LIKE '%)' and NOT (user = 'u' AND state IS NULL)",
         ["params.a BETWEEN 1 AND 2", "name LIKE '%)'", "NOT (user = 'u' AND state IS NULL)"]),
        ("((metrics.a < 1 AND tags.`(` IS NOT NULL))", ["metrics.a < 1", "tags.`(` IS NOT NULL"]),
        ("(metrics.a < 1 OR metrics.b > 2) AND (params.c) > (1)",
         ["(metrics.a < 1 OR metrics.b > 2)", "(params.c) > (1)"]),
        ("min(metrics.a WHERE step > 1 AND step < 5) < 3 AND start_time > now() AND at(metrics.b, 7) = 1",
         ["min(metrics.a WHERE step > 1 AND step < 5) < 3", "start_time > now()", "at(metrics.b, 7) = 1"]),
        ("metrics.a < 1 OR metrics.b < 2 AND metrics.c < 3", ["metrics.a < 1 OR metrics.b < 2 AND metrics.c < 3"]),
        ("metrics.a + (min(metrics.b WHERE step = 1) * 2) > 0 AND (metrics.c IN (1, 2))",
         ["metrics.a + (min(metrics.b WHERE step = 1) * 2) > 0", "(metrics.c IN (1, 2))"]),
    ],
)  # fmt: skip
def test_parts_are_as_written(text: str, parts: list[str]) -> None:
    assert [part for part, _ in parts_of(text, NOW)] == parts


def joined(plan: Plan | None) -> list[Plan]:
    """The plan's parts; those of an AND that is all of a part too."""
    return list(plan.parts) if isinstance(plan, AllOf) else [plan] if plan is not None else []


@settings(max_examples=examples(300))
@given(text=FILTER)
def test_each_text_says_what_its_part_says(text: str) -> None:
    try:
        plan = plan_of(text, NOW)
    except InvalidArgument as error:
        if error.reason != "FILTER_TOO_LARGE":
            raise
        reject()
    parts = parts_of(text, NOW)
    for said, part in parts:
        # As texts: NaN is not equal to itself.
        assert repr(plan_of(said, NOW)) == repr(part)
    assert repr([part for _, part in parts]) == repr([plan] if len(parts) == 1 else joined(plan))


def test_values_by_themselves() -> None:
    loss = Key("metrics", "val_loss")
    assert quantity_of("metrics.val_loss", "f") == loss
    assert quantity_of("min(metrics.val_loss)", "f") == Series("min", "val_loss")
    assert quantity_of("(last(metrics.val_loss)) * (2 + 3)", "f") == Computed("*", loss, 5.0)
    assert key_of("params.`a b`", "f") == Key("params", "a b")
    assert key_of("created", "f") == Key("attributes", "start_time")


@pytest.mark.parametrize(
    ("text", "reason", "what"),
    [
        ("1 + 2", "FILTER_TYPE", "the same for all runs"),
        ("", "FILTER_SYNTAX", "found the end"),
        ("metrics.a < 3", "FILTER_SYNTAX", "column 11"),
        ("tags.a", "FILTER_TYPE", "tags.a is a text"),
        ("name", "FILTER_TYPE", "name is no number"),
        ("avg(metrics.a)", "FILTER_SYNTAX", "did you mean mean"),
        (" + ".join(f"metrics.a{n}" for n in range(17)), "FILTER_TOO_LARGE", "17 names"),
    ],
)
def test_what_is_no_value(text: str, reason: str, what: str) -> None:
    with pytest.raises(InvalidArgument, match=what) as caught:
        quantity_of(text, "objectives[0].value")
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == "objectives[0].value"
