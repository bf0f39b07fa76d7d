"""Rows of MLflow's table of metrics as points, pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fleetlog.importers.source import Points

COLUMNS = ("key", "value", "timestamp", "step", "is_nan")


def points_of(rows: Sequence[tuple[Any, ...]]) -> Iterator[Points]:
    """Yields the points of rows with COLUMNS, a piece a key, in their order.

    NaN is a flag beside the value there, and infinities are the largest doubles.
    """
    keys, values, times, steps, are_nan = zip(*rows, strict=True)
    codes: dict[str, int] = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    numbers = np.array(values, dtype=np.float64)
    numbers[np.array(are_nan, dtype=bool)] = np.nan
    numbers[numbers >= sys.float_info.max] = np.inf
    numbers[numbers <= -sys.float_info.max] = -np.inf
    columns = np.array(steps, dtype=np.int64), numbers, np.array(times, dtype=np.int64)
    if len(codes) == 1:
        yield Points(keys[0], *columns)
        return
    places = np.fromiter(map(codes.__getitem__, keys), dtype=np.int64, count=len(keys))
    order = np.argsort(places, kind="stable")
    ends = np.cumsum(np.bincount(places, minlength=len(codes))).tolist()
    first = 0
    for key, end in zip(codes, ends, strict=True):
        chosen = order[first:end]
        yield Points(key, *(column[chosen] for column in columns))
        first = end
