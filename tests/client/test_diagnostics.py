from __future__ import annotations

import pytest
from fleetlog.diagnostics import diagnostics
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
