"""What every refusal must be, whatever the rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fleetlog_core.errors import FleetlogError, InvalidArgument

ESCAPED = 100
"""A value is shown escaped, in at most so many characters."""


def refused(call: Callable[[], object], reason: str, field: str, *told: str) -> InvalidArgument:
    """The call is refused; the message names field, value, limit (`told`) and, after a semicolon, the mend."""
    with pytest.raises(InvalidArgument) as caught:
        call()
    error = caught.value
    assert error.reason == reason
    assert [violation.field for violation in error.violations] == [field]
    assert error.message == f"{field}: {error.violations[0].description}"
    for part in told:
        assert part in error.message
    description = error.violations[0].description
    assert description.isprintable(), "a value reached the message unescaped"
    assert len(description) <= ESCAPED + 150
    _, semicolon, mend = description.rpartition("; ")
    assert semicolon, "nothing after a semicolon: no mend"
    assert mend[0].islower()
    return error


def reason_of(call: Callable[[], object]) -> str | None:
    """Why the call is refused; None when it is taken. Any other exception is passed on."""
    try:
        call()
    except FleetlogError as error:
        return error.reason
    return None
