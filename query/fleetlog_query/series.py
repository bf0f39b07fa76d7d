"""ReadMetric: points and buckets of metrics of one or many runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.buckets import read_buckets
from fleetlog_query.points import read_points
from fleetlog_query.series_query import SeriesQuery
from fleetlog_query.series_rows import run_starts


class SeriesReader:
    """Reads series."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def read(self, query: SeriesQuery, timeout_seconds: float) -> Iterator[metric_pb2.ReadMetricResponse]:
        """The series that there are, in order. TimedOut when it all takes longer than it is given."""
        deadline = time.monotonic() + timeout_seconds

        def select(statement: Statement) -> Answer:
            return self._warehouse.select(statement, timeout_seconds=max(0.001, deadline - time.monotonic()))

        starts = run_starts(select, query.namespace, query.run_ids) if query.axis == "relative" else {}
        yield from (read_buckets if query.buckets else read_points)(select, query, starts)
