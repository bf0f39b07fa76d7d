"""Values as texts: exact for programs, short for people. Pure."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from fleetlog_core.printable import printable


def exact(value: object) -> str:
    """For a pipe: nothing rounded, times as ISO 8601 in UTC, one line, hidden characters escaped, tabs too."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    return printable(str(value))


def human(value: object, now: datetime) -> str:
    """For a terminal: six digits, times as distances, nothing that a terminal would obey."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, datetime):
        return when(value, now)
    if isinstance(value, timedelta):
        return lasting(value)
    return exact(value)


def number(value: float) -> str:
    """Six digits; whole and large ones with commas."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e15 and (value == int(value) or abs(value) >= 1e5):
        return f"{value:,.0f}"
    return f"{value:.6g}"


def when(moment: datetime, now: datetime) -> str:
    """ "5 min ago", for a fortnight; then the day."""
    seconds = (now - moment).total_seconds()
    if not -1 <= seconds < 14 * 86400:
        return f"{moment:%Y-%m-%d}"
    for limit, unit, word in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{max(0, int(seconds / unit))} {word} ago"
    days = int(seconds / 86400)
    return "1 day ago" if days == 1 else f"{days} days ago"


def lasting(span: timedelta) -> str:
    """ "58.9 s", "4 min 25 s", "1 h 12 min", "2 d 3 h"."""
    seconds = span.total_seconds()
    if abs(seconds) < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if abs(whole) < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    if minutes < 1440:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def span(text: str) -> timedelta:
    """The time that "1h30m", "250ms" or "7d" is, as filters write it. ValueError."""
    pieces = _PIECE.findall(text)
    if not pieces or "".join(size + unit for size, unit in pieces) != text:
        raise ValueError(text)
    return sum((timedelta(**{_UNITS[unit]: float(size)}) for size, unit in pieces), timedelta())
