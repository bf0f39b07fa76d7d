"""Points of one series as responses, a chunk each."""

from __future__ import annotations

from collections.abc import Iterator

from fleetlog_core.warehouse.port import Array
from fleetlog_proto.v1 import metric_pb2

CHUNK_POINTS = 100_000
Name = tuple[bytes, str]
"""Run id and key of a series."""


def chunks(
    name: Name, columns: tuple[Array, Array, Array], rank: int | None, begin: int = 0
) -> Iterator[metric_pb2.ReadMetricResponse]:
    """The points from row `begin` on. `columns`: steps, times and values, in the order of the answer."""
    steps, times, values = columns
    for first in range(begin, len(steps), CHUNK_POINTS):
        rows = slice(first, first + CHUNK_POINTS)
        response = metric_pb2.ReadMetricResponse()
        # Set in place: a message that is put into another one is copied.
        part = response.parts.add(run_id=name[0].hex(), key=name[1], rank=rank)
        part.points.steps = steps[rows].tobytes()
        part.points.times_millis = times[rows].tobytes()
        part.points.values = values[rows].tobytes()
        yield response
