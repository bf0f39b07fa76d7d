from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.order_key import OrderKey, parse_order_key
from fleetlog_query.language.values import Computed, Key, Series, Window


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.x", OrderKey(Key("metrics", "x"), False)),
        (" params.`a b`  DESC ", OrderKey(Key("params", "a b"), True)),
        ("min(metrics.x) asc", OrderKey(Series("min", "x"), False)),
        ("last(metrics.x) DESC", OrderKey(Key("metrics", "x"), True)),
        ("at(metrics.x, -5)", OrderKey(Series("last", "x", Window((-5, -5))), False)),
        ("metrics.x-y DESC", OrderKey(Key("metrics", "x-y"), True)),
        ("metrics.x - metrics.y DESC", OrderKey(Computed("-", Key("metrics", "x"), Key("metrics", "y")), True)),
        ("(2 + 1) * min(metrics.x)", OrderKey(Computed("*", 3.0, Series("min", "x")), False)),
        ("max(metrics.x WHERE step <= 10) DESC", OrderKey(Series("max", "x", Window((-(1 << 63), 10))), True)),
    ],
)
def test_keys(text: str, expected: OrderKey) -> None:
    assert parse_order_key(text) == expected


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("", "FILTER_SYNTAX", "column 1: expected a value or a field, found the end"),
        ("metrics.x DOWN", "FILTER_SYNTAX", "column 11: expected ASC, DESC or the end, found 'DOWN'"),
        ("1 + 2", "FILTER_TYPE", "column 1: expected something of a run to sort by"),
        ("'x' DESC", "FILTER_TYPE", "column 1: expected something of a run to sort by"),
        ("tags.x + 1", "FILTER_TYPE", "column 1: tags.x is a text"),
        ("metrics.x + ", "FILTER_SYNTAX", "column 12: expected a value or a field, found the end"),
        ("metrics.x +", "FILTER_SYNTAX", "column 12: expected a value or a field, found the end"),
        ("metrics.x; DROP", "FILTER_SYNTAX", "column 10: expected"),
        ("metrics.x, metrics.y", "FILTER_SYNTAX", "column 10: expected ASC, DESC or the end"),
        ("min(params.x)", "FILTER_TYPE", "column 5: min\\(\\) is of a metric"),
        ("statsu", "FILTER_UNKNOWN_FIELD", "column 1: 'statsu' is no attribute of a run: did you mean status"),
        ("min(metrics.x WHERE time > now())", "FILTER_TYPE", "column 28: now\\(\\) has no meaning here"),
    ],
)
def test_what_is_no_key(text: str, reason: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        parse_order_key(text, "order_by[3]")
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == "order_by[3]"
