"""ReadMetric: points, or buckets of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.ahead import ahead, together
from fleetlog_query.calls.base import Parts, QueryCalls, next_of, remaining
from fleetlog_query.series import SeriesReader
from fleetlog_query.series_query import series_query_of

HANDED_OVER_BYTES = 1 << 20
"""Short series are sent so many bytes of them at a time."""


class MetricCalls(QueryCalls):
    """Points of metrics."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._series = SeriesReader(parts.warehouse)

    async def ReadMetric(  # noqa: N802
        self, request: metric_pb2.ReadMetricRequest, context: Context
    ) -> AsyncIterator[metric_pb2.ReadMetricResponse]:
        """See the proto."""
        query = series_query_of(request)
        await self._wait(request.at_least, context)
        responses = self._series.read(query, remaining(context))
        pieces = together(responses, metric_pb2.ReadMetricResponse.ByteSize, HANDED_OVER_BYTES)
        async for some in ahead(pieces, self._next_of_read):
            # A message of its own for each series would take longer than to make them all.
            for small in some[1:]:
                some[0].MergeFrom(small)
            yield some[0]

    async def _next_of_read(
        self, pieces: Iterator[list[metric_pb2.ReadMetricResponse]]
    ) -> list[metric_pb2.ReadMetricResponse] | None:
        return await self._do(next_of, pieces)
