from __future__ import annotations

import pytest
from fleetlog._delivery.diagnostics import MAX_KINDS, Warnings, diagnostics
from fleetlog_core.errors import FleetlogError


def test_a_warning_is_one_line_that_no_terminal_obeys(caplog: pytest.LogCaptureFixture) -> None:
    name = "a\x1b[2J\nfleetlog: all is well\u202e"
    diagnostics.warning("artifact %s was not kept: %s", name, FleetlogError("X", name))
    diagnostics.warning(name)
    escaped = "a\\x1b[2J\\nfleetlog: all is well\\u202e"
    assert caplog.messages == [f"artifact {escaped} was not kept: {escaped}", escaped]


def test_an_error_is_one_line_that_no_terminal_obeys() -> None:
    error = FleetlogError("X", "there is no \x1b[31m\n日本")
    assert str(error) == error.message == "there is no \\x1b[31m\\n日本"


def test_each_kind_is_warned_about_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = [0.0]
    warnings = Warnings(lambda: clock[0])
    for clock[0] in (0.0, 59.0, 60.0, 61.0, 119.0, 121.0):
        warnings.warn("kind", f"at {clock[0]}")
    assert [record.getMessage() for record in caplog.records] == ["at 0.0", "at 60.0", "at 121.0"]


def test_kinds_that_a_server_or_a_loop_makes_up_are_bounded_in_lines_and_memory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [0.0]
    warnings = Warnings(lambda: clock[0])
    for minute in range(3):
        caplog.clear()
        for number in range(10_000):
            clock[0] = 61.0 * minute + number / 1_000
            warnings.warn(f"{minute}:{number}", f"warning {number}")
        assert len(caplog.records) == MAX_KINDS + 1
        assert "not all are shown" in caplog.records[-1].getMessage()
        assert len(warnings._last) <= MAX_KINDS + 1
