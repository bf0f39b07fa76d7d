"""What users pass as steps, times and values, as columns and Unix milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from fleetlog_core import limits

PIECE_ITEMS = 1_000
PIECE_BYTES = 500_000
Item = TypeVar("Item")


def millis(time_: datetime | float | None) -> int:
    """Unix milliseconds of a datetime, of milliseconds, or of now."""
    if time_ is None:
        return time.time_ns() // 1_000_000
    if isinstance(time_, datetime):
        return int(time_.timestamp() * 1000)
    return int(time_)


def checked_millis(time_millis: int) -> int:
    """The time, when it is one that the log takes. ValueError."""
    if not limits.MIN_TIME_MILLIS <= time_millis <= limits.MAX_TIME_MILLIS:
        raise ValueError(f"time {time_millis} is not in Unix milliseconds from 1970 to 2255")
    return time_millis


def whole(values: Any) -> Any:
    """int64 array, or a list of int when numpy is not there. A copy. ValueError."""
    try:
        import numpy as np
    except ImportError:
        return [value.__index__() for value in values]
    array = np.asarray(values)
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise ValueError("steps and times are whole numbers")
    return np.array(array, dtype=np.int64)


def real(values: Any) -> Any:
    """float64 array, or a list of float when numpy is not there. A copy."""
    try:
        import numpy as np
    except ImportError:
        return [float(value) for value in values]
    return np.array(values, dtype=np.float64)


def pieces(items: Sequence[Item], bytes_of: Callable[[Item], int]) -> Iterator[Sequence[Item]]:
    """The items in order, in pieces that fit into one event each."""
    first = size = 0
    for place, item in enumerate(items):
        weight = bytes_of(item)
        if place > first and (place - first == PIECE_ITEMS or size + weight > PIECE_BYTES):
            yield items[first:place]
            first, size = place, 0
        size += weight
    if first < len(items):
        yield items[first:]
