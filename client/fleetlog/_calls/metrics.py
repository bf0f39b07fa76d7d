"""The points of metrics, all of them or in buckets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from fleetlog_core import limits
from fleetlog_proto.v1 import metric_pb2

from fleetlog._calls.base import READ_SECONDS, Calls
from fleetlog._transport.traces import trace_metadata
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog._views.series import MAX_POINTS, Buckets, Series, Which, gather, metric_request


class MetricCalls(Calls):
    """Points. What reads runs has this too: a run that was read can be asked for its points."""

    def read_metric(
        self, run_id: AnyRun, key: str, *, last: int | None = None, max_points: int = MAX_POINTS,
        **which: Unpack[Which],
    ) -> Series:  # fmt: skip
        """The points of a metric, those of every writer; none at all when the run has no such metric.

        `last`: only so many points, the last ones; `max_points` as in read_series. See `read_series` for the
        rest.
        """
        known = arguments.run_id(run_id)
        series = self.read_series([known], [arguments.one_text("key", key)], last=last, max_points=max_points, **which)
        return series[0] if series else Series(key, b"", b"", b"", known)

    def read_series(
        self, run_ids: Sequence[AnyRun], keys: Sequence[str], *, last: int | None = None, per_rank: bool = False,
        max_points: int = MAX_POINTS, **which: Unpack[Which],
    ) -> list[Series]:  # fmt: skip
        """Points of metrics of many runs (up to 1,000, of 100 metrics), by run, key and rank as asked for.

        Series that are not there are left out. `last`: of each only so many points, the last; `per_rank`: the points
        of each rank are a series by themselves. BAD_ANSWER when more than `max_points` come in all, 24 bytes each.
        """
        most = arguments.count("max_points", max_points, 1)
        return self._read(metric_request(run_ids, keys, which, last=last, per_rank=per_rank), most)[0]

    def read_buckets(self, run_id: AnyRun, key: str, buckets: int, **which: Unpack[Which]) -> Buckets:
        """A metric in at most `buckets` buckets."""
        known = arguments.run_id(run_id)
        found = self.read_curves([known], [arguments.one_text("key", key)], buckets, **which)
        return found[0] if found else Buckets(key, [], known)

    def read_curves(
        self, run_ids: Sequence[AnyRun], keys: Sequence[str], buckets: int = 1000, *, per_rank: bool = False,
        **which: Unpack[Which],
    ) -> list[Buckets]:  # fmt: skip
        """Metrics of many runs in at most so many buckets each, the same ones for all, so that their curves line up.

        No extreme is lost: every point is in a bucket, and each has its lowest and highest value. Of more than 300,000
        points, buckets that would be of 65 to 127 steps are of 128: at least half as many come, in a tenth of the time.
        """
        most = arguments.count("buckets", buckets, 1, limits.BUCKETS_PER_SERIES)
        return self._read(metric_request(run_ids, keys, which, buckets=most, per_rank=per_rank))[1]

    def _read(
        self, request: metric_pb2.ReadMetricRequest, max_points: int = MAX_POINTS
    ) -> tuple[list[Series], list[Buckets]]:
        connection = self._connection
        request.namespace = self.namespace
        request.at_least.CopyFrom(connection.position())
        with connection.calling():
            parts = connection.query.ReadMetric(request, timeout=READ_SECONDS, metadata=trace_metadata())
            return gather(parts, request, self.target, max_points)
