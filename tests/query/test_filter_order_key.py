from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.filter.order_key import ParsedKey, parse_order_key
from fleetlog_query.filter.values import Key, Series, Window


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.x", ParsedKey(Key("metrics", "x"), False)),
        (" params.`a b`  DESC ", ParsedKey(Key("params", "a b"), True)),
        ("min(metrics.x) asc", ParsedKey(Series("min", "x"), False)),
        ("last(metrics.x) DESC", ParsedKey(Key("metrics", "x"), True)),
        ("at(metrics.x, -5)", ParsedKey(Series("last", "x", Window((-5, -5))), False)),
        ("max(metrics.x WHERE step <= 10) DESC", ParsedKey(Series("max", "x", Window((-(1 << 63), 10))), True)),
    ],
)
def test_keys(text: str, expected: ParsedKey) -> None:
    assert parse_order_key(text) == expected


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("", "FILTER_SYNTAX", "column 1: expected a metric such as metrics.val_loss"),
        ("metrics.x DOWN", "FILTER_SYNTAX", "column 11: expected ASC, DESC or the end, found 'DOWN'"),
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
