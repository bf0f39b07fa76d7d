"""Times and durations: Unix milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EXAMPLE = "'2026-01-31', '2026-01-31T12:00:00Z' or '2026-01-31 12:00+02:00'"


def moment_of(text: str) -> float | None:
    """Milliseconds of an ISO 8601 time; without an offset it is UTC, and a date is its midnight. None: it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MICROSECOND / 1000
    except (ValueError, OverflowError):
        return None


def shown_moment(millis: float) -> str:
    """A time for people; numbers that are none stay numbers."""
    try:
        moment = _EPOCH + timedelta(milliseconds=millis)
    except (OverflowError, ValueError):
        return repr(millis)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
