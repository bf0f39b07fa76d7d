"""Points of one metric, read from the server."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fleetlog_proto.v1 import query_pb2

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


class Series:
    """Points by (step, time, log order): `steps` (int64), `times` (int64, Unix milliseconds), `values` (float64).

    The columns are numpy arrays where numpy is installed, else array.array. Writing to them is not possible.
    """

    def __init__(self, key: str, steps: bytes, times: bytes, values: bytes) -> None:
        self.key = key
        self.steps = _column(steps, "q")
        self.times = _column(times, "q")
        self.values = _column(values, "d")

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<fleetlog.Series {self.key!r}, {len(self):,} points>"

    def to_numpy(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """(steps, values)."""
        import numpy

        return numpy.asarray(self.steps), numpy.asarray(self.values)

    def to_pandas(self) -> pd.DataFrame:
        """Columns step, time (UTC), value."""
        import pandas

        times = pandas.to_datetime(self.times, unit="ms", utc=True)
        return pandas.DataFrame({"step": self.steps, "time": times, "value": self.values})


class Buckets:
    """A series in buckets of equal width: `steps` (first of each), `counts`, `mins`, `maxs`, `means`."""

    def __init__(self, key: str, chunks: list[query_pb2.BucketChunk]) -> None:
        self.key = key
        self.steps = _column(b"".join(chunk.steps for chunk in chunks), "q")
        self.counts = _column(b"".join(chunk.counts for chunk in chunks), "Q")
        self.mins = _column(b"".join(chunk.mins for chunk in chunks), "d")
        self.maxs = _column(b"".join(chunk.maxs for chunk in chunks), "d")
        self.means = _column(b"".join(chunk.means for chunk in chunks), "d")

    def __len__(self) -> int:
        return len(self.steps)


def _column(data: bytes, code: str) -> Any:
    """Little-endian elements of 8 bytes."""
    try:
        import numpy
    except ImportError:
        column = array(code)
        column.frombytes(data)
        return column
    return numpy.frombuffer(data, {"q": "<i8", "Q": "<u8", "d": "<f8"}[code])


def gather(
    responses: Iterable[query_pb2.ReadMetricResponse],
) -> tuple[dict[tuple[str, str], list[query_pb2.PointChunk]], dict[tuple[str, str], list[query_pb2.BucketChunk]]]:
    """Chunks by (run id, key): points, and buckets."""
    points: dict[tuple[str, str], list[query_pb2.PointChunk]] = {}
    buckets: dict[tuple[str, str], list[query_pb2.BucketChunk]] = {}
    for response in responses:
        name = (response.run_id, response.key)
        if response.HasField("buckets"):
            buckets.setdefault(name, []).append(response.buckets)
        else:
            points.setdefault(name, []).append(response.points)
    return points, buckets


def joined(key: str, chunks: list[query_pb2.PointChunk]) -> Series:
    """One series of its chunks; a single chunk is not copied."""
    if len(chunks) == 1:
        return Series(key, chunks[0].steps, chunks[0].times_millis, chunks[0].values)
    return Series(
        key,
        b"".join(chunk.steps for chunk in chunks),
        b"".join(chunk.times_millis for chunk in chunks),
        b"".join(chunk.values for chunk in chunks),
    )
