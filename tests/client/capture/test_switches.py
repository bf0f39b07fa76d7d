"""What a run records: every form that the switches are given in."""

from __future__ import annotations

import pytest
from fleetlog._capture.switches import NAMES, SYSTEM_SECONDS, switches
from fleetlog_core.errors import InvalidArgument

ALL = frozenset(NAMES)


@pytest.mark.parametrize(
    ("capture", "variable", "names"),
    [
        (None, "", ALL),
        (None, "0", frozenset()),
        (None, "Off", frozenset()),
        (None, "on", ALL),
        (None, "git, console", {"git", "console"}),
        (None, "-console,-system", ALL - {"console", "system"}),
        (True, "0", ALL),
        (False, "1", frozenset()),
        ({"git"}, "", {"git"}),
        (["git", "code"], "0", {"git", "code"}),
        ("packages", "", {"packages"}),
        ("-git", "0", ALL - {"git"}),
        ([], "", frozenset()),
        ({"console": False}, "", ALL - {"console"}),
        ({"console": False}, "console,git", {"git"}),
        ({"system": True}, "0", {"system"}),
        ({"system": 30}, "", ALL),
    ],
)
def test_switches_are_taken_in_every_form(capture: object, variable: str, names: frozenset[str]) -> None:
    assert switches(capture, {"FLEETLOG_CAPTURE": variable}).names == names


def test_seconds_between_samples_and_names_of_variables_are_taken() -> None:
    on = switches({"system": 30, "environment": ["CUDA_VISIBLE_DEVICES"]}, {})
    assert on.system_seconds == 30
    assert on.variables == ("CUDA_VISIBLE_DEVICES",)
    assert switches({"system": 0.001}, {}).system_seconds == 1.0
    assert switches(True, {}).system_seconds == SYSTEM_SECONDS


@pytest.mark.parametrize(
    "wrong", ["consle", ["gti"], {"gti": True}, {"git": "yes"}, 5, b"git", {"system": "often"}, [5]], ids=str
)
def test_what_is_no_switch_is_refused_by_its_name(wrong: object) -> None:
    with pytest.raises(InvalidArgument) as error:
        switches(wrong, {})
    assert error.value.message.startswith("capture")


def test_a_variable_that_is_no_switch_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidArgument, match=r"FLEETLOG_CAPTURE: 'consle'.*did you mean 'console'"):
        switches(None, {"FLEETLOG_CAPTURE": "consle"})
