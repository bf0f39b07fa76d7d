"""ReadMetric: points, or buckets of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.calls.base import Parts, QueryCalls, next_of, remaining
from fleetlog_query.series import SeriesReader
from fleetlog_query.series_query import series_query_of


class MetricCalls(QueryCalls):
    """Points of metrics."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._series = SeriesReader(parts.warehouse)

    async def ReadMetric(  # noqa: N802
        self, request: query_pb2.ReadMetricRequest, context: Context
    ) -> AsyncIterator[query_pb2.ReadMetricResponse]:
        """See the proto."""
        query = series_query_of(request)
        await self._wait(request.at_least, context)
        responses = self._series.read(query, remaining(context))
        while (response := await self._do(next_of, responses)) is not None:
            yield response
