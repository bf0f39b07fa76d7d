from __future__ import annotations

import pytest
from fleetlog_core.errors import SHOWN_CHARACTERS, FleetlogError, InvalidArgument, Violation, shown
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(st.characters(exclude_categories=())) | st.binary() | st.integers() | st.floats() | st.none())
def test_any_value_is_shown_short_and_escaped(value: object) -> None:
    text = shown(value)
    assert len(text) <= SHOWN_CHARACTERS
    assert text.isprintable()
    assert text == ascii(value) or text.endswith("…")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("lr", "'lr'"),
        ("it's", '"it\'s"'),
        ("\x1b[31m\r\n", r"'\x1b[31m\r\n'"),
        ("x" * 98, "'" + "x" * 98 + "'"),
        ("x" * 99, "'" + "x" * 98 + "…"),
        ("x" * 10_000_000, "'" + "x" * 98 + "…"),
        (b"\xff", r"b'\xff'"),
    ],
)
def test_values_as_they_are_shown(value: object, text: str) -> None:
    assert shown(value) == text


def test_an_error_of_a_field_names_it_twice() -> None:
    error = InvalidArgument.of_field("KEY_EMPTY", "frame.events[0].key", "is empty; name it")
    assert str(error) == error.message == "frame.events[0].key: is empty; name it"
    assert error.violations == (Violation("frame.events[0].key", "is empty; name it"),)
    assert (error.reason, error.code, error.metadata, error.retry_after_seconds) == (
        "KEY_EMPTY",
        "INVALID_ARGUMENT",
        {},
        None,
    )


def test_every_kind_has_a_code_of_its_own() -> None:
    # Those of other tests are not of the tree.
    kinds = [kind for kind in FleetlogError.__subclasses__() if kind.__module__ == FleetlogError.__module__]
    assert len({kind.code for kind in kinds}) == len(kinds) == 11
