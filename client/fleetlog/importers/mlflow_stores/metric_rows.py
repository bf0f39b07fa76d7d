"""Rows of MLflow's table of metrics as points, pure."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fleetlog.importers.source import Points

COLUMNS = ("key", "value", "timestamp", "step", "is_nan")
FEW = 64
"""Rows for which columns of numpy cost more than a loop does. The mark: 3,000 runs of 45 values a second."""
_LARGEST = sys.float_info.max
_INT64 = 1 << 63


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
    numbers[numbers >= _LARGEST] = np.inf
    numbers[numbers <= -_LARGEST] = -np.inf
    whole = np.fromiter(steps, np.int64, count), np.fromiter(times, np.int64, count)
    if len(codes) == 1:
        yield Points(_text(keys[0]), whole[0], numbers, whole[1])
        return
    places = np.fromiter(map(codes.__getitem__, keys), dtype=np.int64, count=count)
    order = np.argsort(places, kind="stable")
    ends = np.cumsum(np.bincount(places, minlength=len(codes))).tolist()
    first = 0
    for key, end in zip(codes, ends, strict=True):
        chosen = order[first:end]
        yield Points(_text(key), whole[0][chosen], numbers[chosen], whole[1][chosen])
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
