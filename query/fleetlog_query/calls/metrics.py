"""ReadMetric: points, or buckets of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.calls.base import QueryCalls, Services, next_of
from fleetlog_query.series.series import SeriesReader
from fleetlog_query.series.series_query import series_query_of
from fleetlog_query.stream.ahead import together
from fleetlog_query.warehouse.holding import Holding

HANDED_OVER_BYTES = 1 << 20
"""Short series are sent so many bytes of them at a time."""


class MetricCalls(QueryCalls):
    """Points of metrics."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._series = SeriesReader(services.warehouse, services.positions)

    async def ReadMetric(  # noqa: N802
        self, request: metric_pb2.ReadMetricRequest, context: Context
    ) -> AsyncIterator[metric_pb2.ReadMetricResponse]:
        """See the proto."""
        query = series_query_of(request)
        await self._wait(request.at_least, context)
        as_of = await self._as_of(request, context)
        query = replace(query, as_of=as_of)

        def pieces(holding: Holding) -> Iterator[list[metric_pb2.ReadMetricResponse]]:
            responses = self._series.read(query, holding)
            return together(responses, metric_pb2.ReadMetricResponse.ByteSize, HANDED_OVER_BYTES)

        async def next_piece(
            left: Iterator[list[metric_pb2.ReadMetricResponse]],
        ) -> list[metric_pb2.ReadMetricResponse] | None:
            return await self._do(context, next_of, left)

        async for response in self._services.answers.sent(context, pieces, next_piece, _merged):
            yield response


def _merged(some: list[metric_pb2.ReadMetricResponse]) -> metric_pb2.ReadMetricResponse:
    """One message: to send each series by itself would take longer than to make them all."""
    for small in some[1:]:
        some[0].MergeFrom(small)
    return some[0]
