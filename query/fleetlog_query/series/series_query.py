"""Which points a read of metrics is of: from the request to conditions on `points`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, check_count
from fleetlog_core.ids import parse_id
from fleetlog_core.rules.names import check_namespace
from fleetlog_proto.v1 import metric_pb2

from fleetlog_query.language.values import EVERY
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import PointTables

Axis = Literal["step", "time", "relative"]
AXES: Mapping[int, Axis] = {
    metric_pb2.METRIC_AXIS_UNSPECIFIED: "step",
    metric_pb2.METRIC_AXIS_STEP: "step",
    metric_pb2.METRIC_AXIS_TIME: "time",
    metric_pb2.METRIC_AXIS_RELATIVE_TIME: "relative",
}
TIME = "toUnixTimestamp64Milli(ts)"


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """See ReadMetricRequest. Ranges hold both their ends; no ranks = all of them; 0 last points or buckets = none."""

    namespace: str
    run_ids: tuple[bytes, ...]
    keys: tuple[str, ...]
    steps: tuple[int, int] = EVERY
    times: tuple[int, int] = EVERY
    ranks: tuple[int, ...] = ()
    axis: Axis = "step"
    per_rank: bool = False
    last: int = 0
    buckets: int = 0
    sample: int = 0
    """Number of steps to choose; 0 = all."""
    chosen: tuple[int, ...] = ()
    """Steps that were chosen; empty = all."""
    branched: bool = False
    """True if some of the runs may have points of others."""
    as_of: AsOf | None = None
    """Only points before that position; None = all."""

    @property
    def of_steps_alone(self) -> bool:
        """True if nothing is asked of points but their steps: what `rollup` knows."""
        plain = self.axis == "step" and self.times == EVERY and not self.ranks and not self.per_rank
        return plain and self.as_of is None

    @property
    def tables(self) -> PointTables:
        """Where the points are."""
        return PointTables(self.namespace, self.branched)

    def time_sql(self, starts: Mapping[bytes, int], binds: Binds) -> str:
        """The time of a point in milliseconds, as the axis has it; `starts` are those of the runs."""
        if self.axis != "relative":
            return TIME
        ids, since = binds.run_id_array(list(starts)), binds.wholes(list(starts.values()))
        return f"({TIME} - transform(run_id, {ids}, {since}, toInt64(0)))"

    def where(self, time_sql: str, binds: Binds) -> str:
        """The conditions on points of any run and key."""
        parts = []
        for column, (low, high) in (("step", self.steps), (time_sql, self.times)):
            if low != EVERY[0]:
                parts.append(f" AND {column} >= {binds.whole(low)}")
            if high != EVERY[1]:
                parts.append(f" AND {column} <= {binds.whole(high)}")
        if self.chosen:
            parts.append(f" AND step IN {binds.wholes(self.chosen)}")
        if self.ranks:
            parts.append(f" AND rank IN {binds.wholes(self.ranks)}")
        if self.as_of is not None:
            parts.append(f" AND off < {self.as_of.bound(binds)}")
        return "".join(parts)


def series_query_of(request: metric_pb2.ReadMetricRequest) -> SeriesQuery:
    """Query of a request. OVER_LIMIT, BUCKETS_OF_LAST_POINTS, SAMPLE_OF_STEPS, AXIS_UNKNOWN; of ids and names."""
    check_count("run_ids", len(request.run_ids), 1, limits.RUNS_PER_READ)
    check_count("keys", len(request.keys), 1, limits.KEYS_PER_READ)
    check_count("buckets", request.buckets, 0, limits.BUCKETS_PER_SERIES)
    check_count("ranks", len(request.ranks), 0, limits.RANKS_PER_READ)
    if request.buckets and request.last_points:
        what = "the last points come as they are: leave buckets at 0, or last_points"
        raise InvalidArgument.of_field("BUCKETS_OF_LAST_POINTS", "last_points", what)
    if request.sample_steps:
        check_count("sample_steps", request.sample_steps, 1, limits.STEPS_PER_SAMPLE)
        check_count("run_ids", len(request.run_ids) * len(request.keys), 1, limits.SERIES_PER_SAMPLE)
        if request.buckets or request.last_points or AXES.get(request.axis) != "step":
            what = "steps are chosen of points along steps: leave buckets and last_points at 0, and the axis"
            raise InvalidArgument.of_field("SAMPLE_OF_STEPS", "sample_steps", what)
    if request.axis not in AXES:
        raise InvalidArgument.of_field("AXIS_UNKNOWN", "axis", f"{request.axis} is none of MetricAxis")
    run_ids = [parse_id(text, f"run_ids[{place}]") for place, text in enumerate(request.run_ids)]
    return SeriesQuery(
        check_namespace(request.namespace),
        tuple(dict.fromkeys(run_ids)),
        tuple(dict.fromkeys(request.keys)),
        (
            request.min_step if request.HasField("min_step") else EVERY[0],
            request.max_step if request.HasField("max_step") else EVERY[1],
        ),
        (
            request.min_time_millis if request.HasField("min_time_millis") else EVERY[0],
            request.max_time_millis if request.HasField("max_time_millis") else EVERY[1],
        ),
        tuple(dict.fromkeys(request.ranks)),
        AXES[request.axis],
        request.per_rank,
        request.last_points,
        request.buckets,
        request.sample_steps,
    )
