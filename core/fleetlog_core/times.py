"""Times as people give them, as Unix milliseconds: one rule for everything that takes a time.

    a number below 10^11          seconds since 1970, such as time.time()
    a number from 10^11 to 10^14  milliseconds since 1970, such as time.time_ns() // 1_000_000
    a datetime or date            that moment or midnight; also numpy.datetime64 and pandas.Timestamp
    a text                        ISO 8601, or one of the numbers; eight digits are a date: 20260131

What names no zone is local time where it is given, as in datetime.timestamp(). Seconds and milliseconds can't be
taken for one another but in 1970: 10^11 seconds are the year 5138, 10^11 milliseconds March 1973, and what is neither
from 1970 to 2255 is refused. Microseconds and nanoseconds are always refused. docs/times.md says so to users.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.errors import shown

SECONDS_BELOW = 10**11
"""Numbers below this are seconds, from this on milliseconds."""
RULE = (
    "give a datetime, seconds since 1970 (a number below 10^11, such as time.time()), milliseconds since 1970"
    " (from 10^11 to 10^14), or ISO 8601 such as 2026-01-31T12:00:00Z"
)
Number = TypeVar("Number", int, float)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DATE = re.compile(r"(19|20)\d{6}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


def to_millis(when: object) -> int:
    """Unix milliseconds of a time by the rule of this module. ValueError names the value and the rule."""
    try:
        found = _millis(when)
    except (ValueError, TypeError, OverflowError, OSError, AttributeError):
        raise ValueError(f"{_shown(when)} is no time: {RULE}") from None
    if not limits.MIN_TIME_MILLIS <= found <= limits.MAX_TIME_MILLIS:
        raise ValueError(f"{_shown(when)} is not from 1970 to 2255: {RULE}")
    return found


def number_to_millis(number: Number) -> Number:
    """Milliseconds of a number that is a time, not rounded and not checked."""
    return number * 1000 if abs(number) < SECONDS_BELOW else number


def _millis(when: object) -> int:
    if isinstance(when, (bool, bytes, bytearray)) or when is None:
        raise ValueError
    if isinstance(when, (int, float)):
        return _of_number(when)
    if isinstance(when, datetime):
        return _of_datetime(when)
    if isinstance(when, date):
        return _of_datetime(datetime(when.year, when.month, when.day))
    if isinstance(when, str):
        return _of_text(when.strip())
    thing: Any = when
    if getattr(getattr(thing, "dtype", None), "kind", "") == "M":
        # numpy's own item() of nanoseconds is a number of them.
        return _millis(thing.astype("datetime64[us]").item())
    if callable(getattr(thing, "item", None)):
        return _millis(thing.item())
    return _of_number(float(thing))


def _of_number(number: float) -> int:
    if not math.isfinite(number):
        raise ValueError
    return round(number_to_millis(number))


def _of_datetime(when: datetime) -> int:
    if type(when) is not datetime:
        # pandas' own timestamp() takes what has no zone for UTC, and its NaT is a datetime.
        when = datetime(
            when.year, when.month, when.day, when.hour, when.minute, when.second, when.microsecond, when.tzinfo,
            fold=when.fold,
        )  # fmt: skip
    if when.tzinfo is None:
        when = when.astimezone()
    return (when - _EPOCH) // _MILLISECOND


def _of_text(text: str) -> int:
    if _NUMBER.fullmatch(text) and not _DATE.fullmatch(text):
        return _of_number(float(text))
    return _of_datetime(datetime.fromisoformat(text))


def _shown(when: object) -> str:
    try:
        return shown(when)
    except Exception as error:
        # Whatever the value's own code raises: the message is about the time.
        return f"a {type(when).__name__} that can't be shown ({type(error).__name__})"
