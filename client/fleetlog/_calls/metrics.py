"""The points of metrics, all of them or in buckets, and the branches of runs that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from fleetlog_core import limits
from fleetlog_proto.v1 import metric_pb2

from fleetlog._calls.branches import BranchCalls
from fleetlog._transport.answers import understood
from fleetlog._transport.traces import trace_metadata
from fleetlog._transport.web_pages import run_page
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog._views.series import MAX_POINTS, Branch, Buckets, Series, Which, gather, metric_request
from fleetlog._views.views import RunList, RunView


class MetricCalls(BranchCalls):
    """Points, branches and pages. What reads runs has this too: a run that was read can be asked for them."""

    def run_url(self, run_id: AnyRun) -> str | None:
        """Address of a run's page in the web UI; None where the server knows of no web UI.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView. Whether it is there is not asked.

        Raises:
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> client.run_url(run).endswith(f"/n/docs/runs/{run.id}")
            True

        """
        known = arguments.run_id(run_id)
        return run_page(self._connection, self.namespace, known, self.timeout) or None

    def branches(self, run_id: AnyRun) -> RunList:
        """All branches of a run, from the one that it began as to the current one.

        Args:
            run_id: Any of them: 32 hexadecimal digits, a UUID, a Run or a RunView.

        Raises:
            NotFound: The namespace has no such run.

        Examples:
            >>> [one.branch for one in client.branches(run)]
            [0]

        """
        known = arguments.run_id(run_id)
        root = self._attributes([known])[known].root_run_id or known
        found = self._attributes([root])
        run = found[root]
        while (behind := run.superseded_by) and behind not in found:
            found |= self._attributes([behind])
            run = found[behind]
        with understood(self.target, "a run"):
            return RunList([RunView(one, self) for one in found.values()])

    def read_metric(
        self, run_id: AnyRun, key: str, *, branch: Branch | None = None, last: int | None = None,
        max_points: int = MAX_POINTS, **which: Unpack[Which],
    ) -> Series:  # fmt: skip
        """The points of a metric, those of every writer; none at all when the run has no such metric.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView.
            key: The metric's key.
            branch: Of a run that was rewound: a number from 0, or "current"; None = the one that has this id.
            last: Number of points, the last ones; None = all.
            max_points: As in read_series.
            **which: axis, min_step, max_step, min_time, max_time, ranks, as_of: see fleetlog.Which.

        Returns:
            A Series: steps, times and values as numpy arrays.

        Raises:
            InvalidArgument: An argument can't be meant.
            NotFound: There is no such branch.

        Examples:
            >>> client.read_metric(run, "train_loss", max_step=2).values.tolist()
            [4.0, 2.0, 1.0]

        """
        known = self._branch_id(run_id, branch)
        series = self.read_series([known], [arguments.one_text("key", key)], last=last, max_points=max_points, **which)
        return series[0] if series else Series(key, b"", b"", b"", known)

    def read_series(
        self, run_ids: Sequence[AnyRun], keys: Sequence[str], *, branch: Branch | None = None, last: int | None = None,
        sample: int | None = None, per_rank: bool = False, max_points: int = MAX_POINTS, **which: Unpack[Which],
    ) -> list[Series]:  # fmt: skip
        """Points of metrics of many runs (up to 1,000, of 100 metrics), by run, key and rank as asked for.

        Args:
            run_ids: Up to 1,000 runs.
            keys: Up to 100 metrics.
            branch: Of runs that were rewound: a number from 0, or "current"; None = those that have these ids.
            last: Number of points of each series, the last ones; None = all.
            sample: Number of steps, the same ones for all: evenly among those that there are, with the first and the
                last of each series. None = all. Not together with `last`.
            per_rank: The points of each rank are a series by themselves.
            max_points: Maximum of points in all, 24 bytes of memory each.
            **which: axis, min_step, max_step, min_time, max_time, ranks, as_of: see fleetlog.Which.

        Returns:
            A list of Series; those that are not there are left out.

        Raises:
            InvalidArgument: An argument can't be meant.
            NotFound: There is no such branch.
            FleetlogError: BAD_ANSWER when more than `max_points` come.

        Examples:
            >>> [(one.key, len(one)) for one in client.read_series([run], ["train_loss", "val_loss"])]
            [('train_loss', 5), ('val_loss', 1)]

        """
        most = arguments.count("max_points", max_points, 1)
        ids = self._branch_ids(run_ids, branch)
        return self._read(metric_request(ids, keys, which, last=last, per_rank=per_rank, sample=sample), most)[0]

    def read_buckets(
        self, run_id: AnyRun, key: str, buckets: int, *, branch: Branch | None = None, **which: Unpack[Which]
    ) -> Buckets:
        """A metric in at most `buckets` buckets; see read_curves.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView.
            key: The metric's key.
            buckets: Maximum of buckets, 1 to 10,000.
            branch: Of a run that was rewound: a number from 0, or "current"; None = the one that has this id.
            **which: axis, min_step, max_step, min_time, max_time, ranks, as_of: see fleetlog.Which.

        Examples:
            >>> client.read_buckets(run, "train_loss", 1).mins.tolist()
            [0.25]

        """
        known = self._branch_id(run_id, branch)
        found = self.read_curves([known], [arguments.one_text("key", key)], buckets, **which)
        return found[0] if found else Buckets(key, [], known)

    def read_curves(
        self, run_ids: Sequence[AnyRun], keys: Sequence[str], buckets: int = 1000, *, branch: Branch | None = None,
        per_rank: bool = False, **which: Unpack[Which],
    ) -> list[Buckets]:  # fmt: skip
        """Metrics of many runs in at most so many buckets each, the same ones for all, so that their curves line up.

        No extreme is lost: every point is in a bucket, and each has its lowest and highest value. Of more than 300,000
        points, buckets that would be of 65 to 127 steps are of 128: at least half as many come, in a tenth of the time.

        Args:
            run_ids: Up to 1,000 runs.
            keys: Up to 100 metrics.
            buckets: Maximum of buckets of each, 1 to 10,000.
            branch: Of runs that were rewound: a number from 0, or "current"; None = those that have these ids.
            per_rank: The points of each rank are a series by themselves.
            **which: axis, min_step, max_step, min_time, max_time, ranks, as_of: see fleetlog.Which.

        Returns:
            A list of Buckets; series that are not there are left out.

        Raises:
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> [len(curve) for curve in client.read_curves([run], ["train_loss"], buckets=2)]
            [2]

        """
        most = arguments.count("buckets", buckets, 1, limits.BUCKETS_PER_SERIES)
        ids = self._branch_ids(run_ids, branch)
        return self._read(metric_request(ids, keys, which, buckets=most, per_rank=per_rank))[1]

    def _read(
        self, request: metric_pb2.ReadMetricRequest, max_points: int = MAX_POINTS
    ) -> tuple[list[Series], list[Buckets]]:
        connection = self._connection
        request.namespace = self.namespace
        request.at_least.CopyFrom(connection.position())

        def read() -> tuple[list[Series], list[Buckets]]:
            parts = connection.query.ReadMetric(request, timeout=self.timeout, metadata=trace_metadata())
            return gather(parts, request, self.target, max_points)

        return connection.retried(read)
