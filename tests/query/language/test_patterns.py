from __future__ import annotations

import pytest
from fleetlog_query.language import patterns


@pytest.mark.parametrize(
    ("pattern", "text", "same_case", "any_case"),
    [
        ("a%", "abc", True, True),
        ("A%", "abc", False, True),
        ("%b%", "abc", True, True),
        ("_b_", "aBc", False, True),
        ("%", "", True, True),
        ("%%", "x\ny", True, True),
        ("", "", True, True),
        ("", "x", False, False),
        ("100\\%", "100%", True, True),
        ("100\\%", "100x", False, False),
        ("a\\_b", "axb", False, False),
        # A backslash before anything else, and at the end, is itself.
        ("\\a", "\\a", True, True),
        ("\\a", "a", False, False),
        ("a\\", "a\\", True, True),
        ("a\\\\", "a\\", True, True),
        ("%\\", "x\\", True, True),
        # One character to one: no ß as ss.
        ("STRASSE", "straße", False, False),
        ("STRAßE", "straße", False, True),
        ("Σ", "ς", False, True),
        ("a.c", "abc", False, False),
        ("(a|b)", "a", False, False),
        ("%a%a%b", "xaaxab", True, True),
    ],
)
def test_like(pattern: str, text: str, same_case: bool, any_case: bool) -> None:
    assert patterns.is_like(patterns.like_pattern(pattern), text) is same_case
    assert patterns.finds(patterns.ilike_expression(pattern), text) is any_case


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("^a.c$", "a\nc", True),
        ("c$", "abc\n", False),
        ("(?i)ABC", "abc", True),
        ("[0-9]{2,3}", "a12", True),
        ("(a+)+$", "a" * 50_000 + "b", False),
    ],
)
def test_matches_finds_a_place_in_linear_time(expression: str, text: str, expected: bool) -> None:
    assert patterns.diagnosis(expression) is None
    assert patterns.finds(expression, text) is expected
