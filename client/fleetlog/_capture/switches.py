"""What a run records by itself, as `start_run(capture=…)` and $FLEETLOG_CAPTURE say it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fleetlog._values.arguments import choice, invalid, one_text, seconds, texts

NAMES = ("git", "code", "environment", "packages", "rank", "console", "system")
"""Everything that is recorded, each by the name that switches it."""
SYSTEM_SECONDS = 10.0
"""Time between two samples of the machine."""
MIN_SYSTEM_SECONDS = 1.0
ON = ("", "1", "true", "yes", "on", "all")
OFF = ("0", "false", "no", "off", "none")
VARIABLE = "FLEETLOG_CAPTURE"
Capture = bool | str | Iterable[str] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Switches:
    """What is on."""

    names: frozenset[str] = frozenset(NAMES)
    variables: tuple[str, ...] = ()
    """Variables of the environment whose values are recorded: those that somebody named."""
    system_seconds: float = SYSTEM_SECONDS

    def __contains__(self, name: str) -> bool:
        return name in self.names


NOTHING = Switches(frozenset())


def switches(capture: object, environment: Mapping[str, str] = os.environ) -> Switches:
    """The switches of a run; None is as the environment says, else everything. InvalidArgument."""
    usual = _of_text(VARIABLE, environment.get(VARIABLE, ""))
    if capture is None:
        return usual
    if isinstance(capture, bool):
        return Switches() if capture else NOTHING
    if isinstance(capture, str):
        return _of_text("capture", capture)
    if isinstance(capture, Mapping):
        return _of_mapping(capture, usual)
    if isinstance(capture, bytes) or not hasattr(capture, "__iter__"):
        raise invalid("capture", capture, f"True, False, or some of {', '.join(NAMES)}")
    return Switches(frozenset(choice("capture", one, dict.fromkeys(NAMES)) for one in texts("capture", capture)))


def _of_text(argument: str, text: str) -> Switches:
    """Switches from "console,system", "-console" (all others), "on" or "off"."""
    word = text.strip().lower()
    if word in ON:
        return Switches()
    if word in OFF:
        return NOTHING
    words = [one.strip() for one in word.split(",") if one.strip()]
    known = {one: choice(argument, one.removeprefix("-"), dict.fromkeys(NAMES)) for one in words}
    left_out = {name for one, name in known.items() if one.startswith("-")}
    named = {name for one, name in known.items() if not one.startswith("-")}
    return Switches(frozenset(named or NAMES) - left_out)


def _of_mapping(given: Mapping[Any, Any], usual: Switches) -> Switches:
    """What is not named is as usual. {"system": 30} are seconds, {"environment": […]} names of variables."""
    found, names = usual, set(usual.names)
    for key, value in given.items():
        name = choice("capture", one_text("capture", key), dict.fromkeys(NAMES))
        if name == "system" and not isinstance(value, bool):
            found = replace(found, system_seconds=max(MIN_SYSTEM_SECONDS, seconds("capture.system", value)))
        elif name == "environment" and not isinstance(value, bool):
            found = replace(found, variables=tuple(texts("capture.environment", value)))
        elif not isinstance(value, bool):
            raise invalid(f"capture.{name}", value, "True or False")
        if value is False:
            names.discard(name)
        else:
            names.add(name)
    return replace(found, names=frozenset(names))
