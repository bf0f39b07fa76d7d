"""Times of other trackers as milliseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

LATEST_MS = 253_402_300_799_000
"""The last second of the year 9999."""


def milliseconds_of(
    seconds: npt.NDArray[np.float64], instead: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Seconds since 1970 as milliseconds, and which of them are no time: those are `instead`."""
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.rint(seconds * 1000)
        is_time = (scaled > 0) & (scaled <= LATEST_MS)
    return np.where(is_time, scaled, instead).astype(np.int64), ~is_time


def millisecond_of(seconds: float) -> int | None:
    """Seconds since 1970 as milliseconds; None for what is no time."""
    # NaN is in no range.
    return round(seconds * 1000) if 0.0005 < seconds <= LATEST_MS / 1000 else None


def millisecond_of_text(text: str) -> int | None:
    """Milliseconds of a time in ISO 8601, UTC where it names no zone; None for what is no time."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000 + 0.5)
