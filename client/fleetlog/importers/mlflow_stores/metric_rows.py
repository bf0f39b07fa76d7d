"""Rows of MLflow's table of metrics as points, pure."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetlog.importers.mlflow_stores.metric_pages import MetricColumns
from fleetlog.importers.source import Points

COLUMNS = ("key", "value", "timestamp", "step", "is_nan")
FEW = 64
"""Rows for which columns of numpy cost more than a loop does. The mark: 3,000 runs of 45 values a second."""
_LARGEST = sys.float_info.max
_INT64 = 1 << 63

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def points_of(rows: Sequence[tuple[Any, ...]]) -> Iterator[Points]:
    """Yields the points of rows with COLUMNS, a piece a key, in their order. Keys may be bytes.

    NaN is a flag beside the value there, and infinities are the largest doubles.
    """
    if len(rows) <= FEW:
        yield from _few_points(rows)
        return
    keys, values, times, steps, are_nan = zip(*rows, strict=True)
    codes: dict[str | bytes, int] = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    count = len(keys)
    numbers = np.fromiter(values, np.float64, count)
    if any(are_nan):
        numbers[np.fromiter(map(bool, are_nan), np.bool_, count)] = np.nan
    numbers = _with_infinities(numbers)
    whole = np.fromiter(steps, np.int64, count), np.fromiter(times, np.int64, count)
    places = np.fromiter(map(codes.__getitem__, keys), dtype=np.int64, count=count)
    yield from _by_key(list(codes), places, whole[0], numbers, whole[1])


def points_of_columns(columns: MetricColumns) -> Iterator[Points]:
    """Yields the points of columns as `points_of` does those of the same rows."""
    numbers = columns.values.copy()
    numbers[columns.are_nan] = np.nan
    yield from _by_key(columns.keys, columns.codes, columns.steps, _with_infinities(numbers), columns.times)


def _with_infinities(numbers: Floats) -> Floats:
    numbers[numbers >= _LARGEST] = np.inf
    numbers[numbers <= -_LARGEST] = -np.inf
    return numbers


def _by_key(keys: Sequence[str | bytes], codes: Ints, steps: Ints, values: Floats, times: Ints) -> Iterator[Points]:
    if len(keys) == 1:
        yield Points(_text(keys[0]), steps, values, times)
        return
    # Short numbers are sorted by their digits, which is many times as fast.
    order = np.argsort(codes.astype(np.uint16) if len(keys) < 1 << 16 else codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys))).tolist()
    first = 0
    for key, end in zip(keys, ends, strict=True):
        chosen = order[first:end]
        yield Points(_text(key), steps[chosen], values[chosen], times[chosen])
        first = end


def is_point(row: tuple[Any, ...]) -> bool:
    """True if a row with COLUMNS is of a point: databases of SQLite keep anything in any column."""
    key, value, time, step, _ = row
    whole = all(isinstance(one, int) and -_INT64 <= one < _INT64 for one in (time, step))
    return isinstance(key, (str, bytes)) and isinstance(value, (int, float)) and whole


def _few_points(rows: Sequence[tuple[Any, ...]]) -> Iterator[Points]:
    found: dict[str | bytes, list[tuple[int, float, int]]] = {}
    for key, value, time, step, is_nan in rows:
        if is_nan:
            value = math.nan
        elif not -_LARGEST < value < _LARGEST:
            value = math.copysign(math.inf, value)
        found.setdefault(key, []).append((step, value, time))
    # Slices of one array cost less than an array for each key.
    steps, values, times = zip(*itertools.chain.from_iterable(found.values()), strict=True)
    columns = np.array(steps, np.int64), np.array(values, np.float64), np.array(times, np.int64)
    first = 0
    for key, points in found.items():
        own = slice(first, first + len(points))
        yield Points(_text(key), columns[0][own], columns[1][own], columns[2][own])
        first += len(points)


def _text(key: str | bytes) -> str:
    return key if isinstance(key, str) else key.decode(errors="backslashreplace")
