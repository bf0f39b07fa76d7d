"""Values as users and frameworks pass them: numbers, steps, texts, and how a warning shows them.

Whatever code a value brings (`item`, `__float__`, `__str__`, …) runs in here, and whatever it raises becomes Unusable.
Only what ends a process or a coroutine goes through: KeyboardInterrupt, SystemExit, GeneratorExit.
"""

from __future__ import annotations

import reprlib
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from fleetlog_core.errors import SHOWN_CHARACTERS, shown

_INT64 = 1 << 63
_ENDING = (KeyboardInterrupt, SystemExit, GeneratorExit)
_NESTED = 8
"""Maximum of wrappers around one number: lists and arrays of one, scalars of scalars."""


class Unusable(ValueError):
    """A value that can't be taken: why, and the stable reason that the run is told."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One item of several that could not be taken, while the others were."""

    key: str
    reason: str
    why: str

    def __str__(self) -> str:
        return f"{shown(self.key)}: {self.why}"


class foreign:  # noqa: N801
    """Context around code that values bring: what it raises is Unusable with this reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __enter__(self) -> None:
        """Begin the context, which acquires nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, (Unusable, *_ENDING)):
            raise Unusable(self._reason, told(error)) from None


_NUMBER, _STEP, _TEXT = foreign("NOT_A_NUMBER"), foreign("STEP_INVALID"), foreign("TEXT_INVALID")


def number(value: object) -> float:
    """The float of a number, a numpy, torch or jax scalar, or a list or array of one. Unusable: NOT_A_NUMBER."""
    if isinstance(value, (float, int)):
        try:
            return float(value)
        except OverflowError as error:
            raise Unusable("NOT_A_NUMBER", str(error)) from None
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.floating):
        return float(value)
    with _NUMBER:
        return float(_single(value))


def step_number(value: object) -> int:
    """The int of a step that is whole: an int, or a float, scalar or array of one. Unusable: STEP_INVALID."""
    if type(value) is not int:
        with _STEP:
            value = _single(value)
            if not hasattr(value, "__index__"):
                value = _whole(value)
            value = int(value.__index__())
    if not -_INT64 <= value < _INT64:
        raise Unusable("STEP_INVALID", f"step {display(value)} is outside -2^63 … 2^63-1")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, (str, bytes)) or value != value or value in (float("inf"), float("-inf")):
        raise Unusable("STEP_INVALID", f"step {display(value)} is not a whole number")
    try:
        found = int(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found != value:
        raise Unusable("STEP_INVALID", f"step {display(value)} is not a whole number")
    return found


def _single(value: Any) -> Any:
    """The one element of what holds just one."""
    for _ in range(_NESTED):
        if isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
        elif not isinstance(value, (int, float, str)) and callable(item := getattr(value, "item", None)):
            found = item()
            if type(found) is type(value):
                return value  # numpy.longdouble gives itself
            value = found
        else:
            return value
    return value


def text(value: object) -> str:
    """The value as text that UTF-8 can say: bytes are decoded, half surrogates escaped. Unusable: TEXT_INVALID."""
    if type(value) is str and value.isascii():
        return value
    with _TEXT:
        if isinstance(value, str):
            found = str.__str__(value)
        elif isinstance(value, (bytes, bytearray)):
            found = value.decode("utf-8", "backslashreplace")
        else:
            found = str.__str__(str(value))
        return found if found.isascii() else found.encode("utf-8", "backslashreplace").decode()


def display(value: object) -> str:
    """The value as a warning shows it: escaped, cut, whatever its own code does."""
    try:
        found = reprlib.repr(value) if not isinstance(value, str) else value
    except BaseException as error:
        if isinstance(error, _ENDING):
            raise
        return f"<{type(value).__name__} that raises {type(error).__name__}>"
    return shown(found) if isinstance(value, str) else _cut(ascii(found)[1:-1])


def told(error: BaseException) -> str:
    """An error in words: its type and its text, cut."""
    try:
        said = str(error)
    except BaseException as other:
        if isinstance(other, _ENDING):
            raise
        said = ""
    name = type(error).__name__
    return _cut(f"{name}: {ascii(said)[1:-1]}") if said else name


def _cut(found: str) -> str:
    return found if len(found) <= 2 * SHOWN_CHARACTERS else found[: 2 * SHOWN_CHARACTERS - 1] + "…"
