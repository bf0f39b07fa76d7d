"""Values for people, and which columns fit."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from fleetlog.cli.layout import GAP, NARROW, fit
from fleetlog.cli.words import exact, human
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.123456789, "3.12346"),
        (88324.0, "88,324"),
        (123456.75, "123,457"),
        (1e300, "1e+300"),
        (2e-5, "2e-05"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (1337, "1337"),
        (True, "true"),
        (None, ""),
        (NOW - timedelta(seconds=5), "5 s ago"),
        (NOW - timedelta(minutes=5), "5 min ago"),
        (NOW - timedelta(hours=23), "23 h ago"),
        (NOW - timedelta(days=1, hours=1), "1 day ago"),
        (NOW - timedelta(days=13), "13 days ago"),
        (NOW - timedelta(days=14), "2026-02-15"),
        (NOW + timedelta(days=1), "2026-03-02"),
        (timedelta(seconds=0.25), "0.2 s"),
        (timedelta(seconds=59.96), "1 min 0 s"),
        (timedelta(hours=1, minutes=12), "1 h 12 min"),
        (timedelta(days=2, hours=3), "2 d 3 h"),
        ("a\tb\nc\x1b[2J", r"a\tb\nc\x1b[2J"),
    ],
)
def test_people_read(value: object, text: str) -> None:
    assert human(value, NOW) == text


@given(st.floats(allow_nan=False))
def test_programs_read_exactly_what_was_logged(value: float) -> None:
    assert float(exact(value)) == value


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=12), st.integers(20, 200))
def test_columns_fit_or_are_left_out_from_the_right(columns: list[tuple[int, bool]], room: int) -> None:
    widths, whole = [wide for wide, _ in columns], [one for _, one in columns]
    shown = fit(widths, whole, room)
    assert shown == widths[: len(shown)] or all(
        one >= min(NARROW, wide) for one, wide in zip(shown, widths, strict=False)
    )
    assert all(one == wide for one, wide, kept in zip(shown, widths, whole, strict=False) if kept)
    if len(shown) > 1:
        assert sum(shown) + GAP * (len(shown) - 1) <= room
    least = [wide if kept else min(wide, NARROW) for wide, kept in columns]
    if len(shown) < len(widths):
        assert sum(least[: len(shown) + 1]) + GAP * len(shown) > room
