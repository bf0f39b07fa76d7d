"""What users pass as the steps, values and times of a series: columns of one length, without the points that can't be.

numpy's arrays and what becomes one go through numpy; everything else, and every column without numpy, goes value by
value, so that a wrong one costs its own point alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set, ValuesView
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.times import SECONDS_BELOW, to_millis

from fleetlog._values.values import Unusable, display, foreign, number, step_number

PIECE_ITEMS = 1_000
PIECE_BYTES = 500_000
_INT64 = 1 << 63
_QUARTER_HOUR = 900_000
"""Milliseconds between moments at which a zone's distance from UTC may change."""
_DAYS = 172_800_000
"""Milliseconds that no zone is away from UTC."""
_SERIES, _TIME = foreign("SERIES_INVALID"), foreign("TIME_INVALID")
Item = TypeVar("Item")


@dataclass
class Columns:
    """Copies of what was passed: int64, float64 and int64 arrays, or lists where numpy is not installed."""

    steps: Any
    values: Any
    times: Any
    """Unix milliseconds; None: none were passed."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Points that are not in them, by reason."""
    examples: dict[str, str] = field(default_factory=dict)
    """The first wrong value of each reason, in words."""


@dataclass
class _Column:
    data: Any
    wrong: Any = None
    """Which of the data can't be (a mask), None: none of them."""
    why: str = ""


def millis(time_: object) -> int:
    """Unix milliseconds of a time by fleetlog_core.times; None is now. Unusable: TIME_INVALID."""
    if time_ is None:
        return time.time_ns() // 1_000_000
    with _TIME:
        try:
            return to_millis(time_)
        except ValueError as error:
            raise Unusable("TIME_INVALID", str(error)) from None


def columns(steps: object, values: object, times: object = None) -> Columns:
    """The columns of a series. Unusable: SERIES_INVALID when they are of several lengths or shapes."""
    with _SERIES:
        given = {"steps": _flat(steps), "values": _flat(values)}
        if times is not None:
            given["times"] = _flat(times)
    counts = {name: len(column) for name, column in given.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        raise Unusable("SERIES_INVALID", f"{said}: they must be as many")
    checked = {
        "STEP_INVALID": _column(given["steps"], _fast_steps, step_number),
        "NOT_A_NUMBER": _column(given["values"], _fast_values, number),
    }
    if times is not None:
        checked["TIME_INVALID"] = _column(given["times"], _fast_times, millis)
    wrong = None
    left_out: Counter[str] = Counter()
    for reason, column in checked.items():
        if column.wrong is None:
            continue
        mine = column.wrong if wrong is None else _and_not(column.wrong, wrong)
        left_out[reason] += sum(mine) if isinstance(mine, list) else int(mine.sum())
        wrong = column.wrong if wrong is None else _or(wrong, column.wrong)
    data = [column.data if wrong is None else _without(column.data, wrong) for column in checked.values()]
    examples = {reason: column.why for reason, column in checked.items() if column.why}
    return Columns(data[0], data[1], data[2] if times is not None else None, +left_out, examples)


def _flat(values: Any) -> Any:
    """A numpy array of one dimension, or a list when numpy is not there or can't make one."""
    if callable(detach := getattr(values, "detach", None)):
        values = detach()  # a torch tensor that has a gradient
    one_by_one = hasattr(values, "__iter__") and not hasattr(values, "__len__") and not hasattr(values, "shape")
    if one_by_one or isinstance(values, (Set, ValuesView)):
        values = list(values)  # what numpy takes for one object
    try:
        import numpy as np
    except ImportError:
        return list(values)
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        listed = values.tolist() if hasattr(values, "tolist") else list(values)
        array = np.empty(len(listed), dtype=object)
        array[:] = listed
    if array.ndim != 1 and array.size != max(array.shape, default=1):
        raise Unusable("SERIES_INVALID", f"an array of shape {array.shape}: log each of its columns as a series")
    return array.reshape(-1)


def _column(values: Any, fast: Callable[[Any], _Column | None], one: Callable[[Any], Any]) -> _Column:
    if not isinstance(values, list):
        found = fast(values)
        if found is not None:
            return found
    return _one_by_one(values, one)


def _one_by_one(values: Any, one: Callable[[Any], Any]) -> _Column:
    data: list[Any] = []
    wrong: list[bool] = []
    why = ""
    for value in values:
        try:
            data.append(one(value))
            wrong.append(False)
        except Unusable as error:
            data.append(0)
            wrong.append(True)
            why = why or (f"{display(value)} is not a number" if error.reason == "NOT_A_NUMBER" else str(error))
    if isinstance(values, list):
        return _Column(data, wrong if why else None, why)
    import numpy as np

    kind = np.float64 if one is number else np.int64
    return _Column(np.array(data, dtype=kind), np.array(wrong) if why else None, why)


def _fast_steps(array: Any) -> _Column | None:
    import numpy as np

    kind = array.dtype.kind
    if kind == "i":
        return _Column(np.array(array, dtype=np.int64))
    if kind == "u":
        return _masked(array, array > np.uint64(_INT64 - 1), np.int64, "is outside -2^63 … 2^63-1")
    if kind == "f":
        # NaN is no whole number, and 2^63 the first double that is too large.
        right = (array == np.floor(array)) & (array >= -float(_INT64)) & (array < float(_INT64))
        return _masked(array, ~right, np.int64, "is not a whole number within int64")
    return None


def _fast_values(array: Any) -> _Column | None:
    import numpy as np

    return _Column(np.array(array, dtype=np.float64)) if array.dtype.kind in "iufb" else None


def _fast_times(array: Any) -> _Column | None:
    import numpy as np

    kind = array.dtype.kind
    if kind == "M":
        millis_ = array.astype("datetime64[ms]").astype(np.int64)
        array, missing = _utc(millis_), np.isnat(array)
    elif kind in "iuf":
        real = array.astype(np.float64)
        missing = ~np.isfinite(real)
        seconds = np.abs(real) < SECONDS_BELOW
        if kind == "f":
            array = np.rint(np.where(seconds, np.where(missing, 0, real) * 1000, np.where(missing, 0, real)))
        else:
            missing = missing | (real > limits.MAX_TIME_MILLIS)
            whole = np.where(missing, 0, array).astype(np.int64)
            array = np.where(seconds, whole * 1000, whole)
    else:
        return None
    wrong = missing | (array < limits.MIN_TIME_MILLIS) | (array > limits.MAX_TIME_MILLIS)
    return _masked(array, wrong, np.int64, "is not a time from 1970 to 2255")


def _utc(millis_: Any) -> Any:
    """Milliseconds of local time as Unix milliseconds: each quarter of an hour is looked up once."""
    import numpy as np

    quarters, places = np.unique(millis_ // _QUARTER_HOUR, return_inverse=True)
    shifts = []
    for quarter in quarters.tolist():
        local = quarter * _QUARTER_HOUR
        known = _DAYS <= local <= limits.MAX_TIME_MILLIS - _DAYS
        shifts.append(to_millis(np.datetime64(local, "ms")) - local if known else 0)
    return millis_ + np.array(shifts, dtype=np.int64)[places.reshape(millis_.shape)]


def _masked(array: Any, wrong: Any, kind: Any, why: str) -> _Column:
    import numpy as np

    if not wrong.any():
        return _Column(np.array(array, dtype=kind))
    first = array[wrong][0]
    return _Column(np.where(wrong, 0, array).astype(kind), wrong, f"{display(first.item())} {why}")


def _or(one: Any, other: Any) -> Any:
    return [a or b for a, b in zip(one, other, strict=True)] if isinstance(one, list) else one | other


def _and_not(one: Any, other: Any) -> Any:
    return [a and not b for a, b in zip(one, other, strict=True)] if isinstance(one, list) else one & ~other


def _without(data: Any, wrong: Any) -> Any:
    if isinstance(data, list):
        return [value for value, is_wrong in zip(data, wrong, strict=True) if not is_wrong]
    return data[~wrong]


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
