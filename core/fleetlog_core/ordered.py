"""Numbers as unsigned integers that sort as the numbers do, and tuples of them as one integer.

`attrs.ver`, `series.first` and `series.last` are (step, time, value) in 192 bits; `series.low` and `series.high` are
(value, step) in 128. Whole integers compare fast, need no state, and give the same latest point in whatever order
points arrive. Value order: NaN, -inf … +inf, with -0.0 below 0.0 (IEEE 754 totalOrder but for NaN, which is one
value here, the lowest).
"""

from __future__ import annotations

import math
import struct

import numpy as np
import numpy.typing as npt

_SIGN = 1 << 63
_ALL = (1 << 64) - 1

U64 = npt.NDArray[np.uint64]


def order_steps(steps: npt.NDArray[np.int64]) -> U64:
    """int64 (steps, or times in Unix milliseconds) to uint64 of the same order; int64 minimum is 0."""
    return steps.view(np.uint64) ^ np.uint64(_SIGN)


def order_values(values: npt.NDArray[np.float64]) -> U64:
    """float64 to uint64 of the same order. NaN is 0."""
    bits = values.view(np.uint64)
    negative = bits >> np.uint64(63) != 0
    ordered = np.where(negative, ~bits, bits | np.uint64(_SIGN))
    ordered[np.isnan(values)] = 0
    return ordered


def values_of(ordered: U64) -> npt.NDArray[np.float64]:
    """The inverse of order_values; the quiet NaN for 0."""
    negative = ordered >> np.uint64(63) == 0
    values = np.where(negative, ~ordered, ordered ^ np.uint64(_SIGN)).view(np.float64)
    values[ordered == 0] = np.nan
    return values


def pack128(high: U64, low: U64) -> npt.NDArray[np.void]:
    """High << 64 | low as V16, little-endian."""
    words = np.empty((len(high), 2), dtype="<u8")
    words[:, 0] = low
    words[:, 1] = high
    return words.reshape(-1).view("V16")


def pack192(high: U64, middle: U64, low: U64) -> npt.NDArray[np.void]:
    """High << 128 | middle << 64 | low as V32 (a UInt256), little-endian."""
    words = np.zeros((len(high), 4), dtype="<u8")
    words[:, 0] = low
    words[:, 1] = middle
    words[:, 2] = high
    return words.reshape(-1).view("V32")


def step_of(ordered: int) -> int:
    """The inverse of order_steps."""
    return (ordered & _ALL) - _SIGN


def value_of(ordered: int) -> float:
    """The inverse of order_values; the quiet NaN for 0."""
    word = ordered & _ALL
    if word == 0:
        return math.nan
    bits = word ^ _SIGN if word & _SIGN else ~word & _ALL
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def unpack_point(packed: bytes) -> tuple[int, int, float]:
    """(step, time, value) of a UInt256's 32 little-endian bytes."""
    value, time, step, _ = struct.unpack("<4Q", packed)
    return step_of(step), step_of(time), value_of(value)


def unpack_moments(packed: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(steps, times) of a column of UInt256, V32; what unpack_point tells of each."""
    words = np.ascontiguousarray(packed).view("<u8").reshape(-1, 4)
    return (words[:, 2] ^ np.uint64(_SIGN)).view(np.int64), (words[:, 1] ^ np.uint64(_SIGN)).view(np.int64)


def unpack_low(packed: bytes) -> tuple[float, int]:
    """(value, step) of `series.low`: 16 little-endian bytes."""
    step, value = struct.unpack("<2Q", packed)
    return value_of(value), step_of(step)


def unpack_high(packed: bytes) -> tuple[float, int]:
    """(value, step) of `series.high`, whose step is complemented: 16 little-endian bytes."""
    step, value = struct.unpack("<2Q", packed)
    return value_of(value), step_of(~step & _ALL)
