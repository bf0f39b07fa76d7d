"""Summaries of whole series: from columns of `run_series` to messages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from fleetlog_core.ordered import values_of
from fleetlog_core.warehouse.port import Answer
from fleetlog_proto.v1 import run_pb2

RANGE_COLUMNS = (
    "min(minv) AS lowest, max(maxv) AS highest, sum(n) AS points, sum(nans) AS lacking, sum(total) AS whole,"
    " sum(squares) AS squared, min(first) AS opening, min(low) AS lower, max(high) AS upper"
)
_SIGN = np.uint64(1 << 63)


def ranges_of(answer: Answer) -> Iterator[run_pb2.MetricRange]:
    """A message for each row; a run may have 100,000 of them, so they are calculated by column."""
    if answer.rows == 0:
        return
    points, nans = answer.array("points").astype(np.int64), answer.array("lacking").astype(np.int64)
    numbers = (points - nans).astype(np.float64)
    none = numbers == 0
    with np.errstate(all="ignore"):
        means = np.where(none, np.nan, answer.array("whole") / numbers)
        variances = answer.array("squared") / numbers - means**2
        stds = np.where(np.isfinite(variances), np.sqrt(np.maximum(variances, 0.0)), np.nan)
    opening = _words(answer.array("opening"), 4)
    steps = (
        opening[:, 2] ^ _SIGN,
        np.where(none, 0, _words(answer.array("lower"), 2)[:, 0] ^ _SIGN),
        np.where(none, 0, ~_words(answer.array("upper"), 2)[:, 0] ^ _SIGN),
    )
    lows, highs = (np.where(none, np.nan, answer.array(name) + 0.0) for name in ("lowest", "highest"))
    columns = (values_of(opening[:, 0]), *(column.view(np.int64) for column in steps), points, nans)
    columns += (lows, highs, means, stds)
    for first, first_step, min_step, max_step, count, nan_count, low, high, mean, std in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        yield run_pb2.MetricRange(
            first=first, first_step=first_step, min_step=min_step, max_step=max_step, count=count,
            nan_count=nan_count, min=low, max=high, mean=mean, std=std,
        )  # fmt: skip


def _words(packed: npt.NDArray[np.void], count: int) -> npt.NDArray[np.uint64]:
    """Little-endian words of wide integers, by row."""
    return np.ascontiguousarray(packed).view("<u8").reshape(-1, count)
