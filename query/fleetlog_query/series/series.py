"""ReadMetric: points and buckets of metrics of one or many runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.series.buckets import read_buckets
from fleetlog_query.series.points import read_points
from fleetlog_query.series.sampled import sampled
from fleetlog_query.series.series_query import SeriesQuery
from fleetlog_query.series.series_rows import run_starts
from fleetlog_query.sql.branches import Branches
from fleetlog_query.warehouse.cancellable import CancellableWarehouse
from fleetlog_query.warehouse.holding import Holding


class SeriesReader:
    """Reads series."""

    def __init__(self, warehouse: CancellableWarehouse, positions: AppliedPositions, branches: Branches) -> None:
        self._warehouse = warehouse
        self._branches = branches
        self._positions = positions

    def read(self, query: SeriesQuery, holding: Holding) -> Iterator[metric_pb2.ReadMetricResponse]:
        """The series that there are, in order. TimedOut when it all takes longer than it is given."""
        warehouse = self._warehouse
        query = replace(query, branched=self._branches(query.namespace).branched)
        starts = run_starts(warehouse.select, query.namespace, query.run_ids) if query.axis == "relative" else {}
        if query.sample:
            chosen = sampled(warehouse.select, query)
            if chosen is None:
                return
            query = chosen
        if query.buckets:
            yield from read_buckets(warehouse, query, starts, holding)
        else:
            yield from read_points(warehouse.select, query, starts, lambda: self._positions.now(), holding)
