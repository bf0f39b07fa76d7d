"""AggregateMetric: what is asked, checked."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, check_count
from fleetlog_proto.v1 import aggregate_pb2, metric_pb2

from fleetlog_query.language.quantity import key_of
from fleetlog_query.language.values import EVERY, Key
from fleetlog_query.series.series_query import AXES, SeriesQuery

DEFAULT_BUCKETS = 200
DEFAULT_GROUPS = 20


@dataclass(frozen=True)
class Question:
    """What is asked of the runs of a scope. `groups`: keys whose values make a group."""

    series: SeriesQuery
    """Series, of no runs yet."""
    groups: tuple[Key, ...]
    limit: int


def question_of(request: aggregate_pb2.AggregateMetricRequest, namespace: str) -> Question:
    """OVER_LIMIT, KEY_UNKNOWN, AXIS_UNKNOWN, GROUP_INVALID."""
    check_count("buckets", request.buckets, 0, limits.AGGREGATE_BUCKETS)
    check_count("limit", request.limit, 0, limits.AGGREGATE_GROUPS)
    check_count("group_by", len(request.group_by), 0, limits.GROUP_KEYS)
    if not request.key:
        raise InvalidArgument.of_field("KEY_UNKNOWN", "key", "it is empty; name a metric, such as val_loss")
    if request.axis not in AXES:
        raise InvalidArgument.of_field("AXIS_UNKNOWN", "axis", f"{request.axis} is none of MetricAxis")
    axis = AXES[request.axis or metric_pb2.METRIC_AXIS_STEP]
    ends = (
        request.min_x if request.HasField("min_x") else EVERY[0],
        request.max_x if request.HasField("max_x") else EVERY[1],
    )
    series = SeriesQuery(
        namespace, (), (request.key,), axis=axis, buckets=request.buckets or DEFAULT_BUCKETS,
        steps=ends if axis == "step" else EVERY, times=EVERY if axis == "step" else ends,
    )  # fmt: skip
    groups = tuple(_group(text, f"group_by[{place}]") for place, text in enumerate(request.group_by))
    return Question(series, groups, request.limit or DEFAULT_GROUPS)


def _group(text: str, field: str) -> Key:
    key = key_of(text, field)
    if key.kind in ("metrics", "datasets"):
        what = "a metric is measured, not set: group by params, tags or attributes, such as params.lr"
        raise InvalidArgument.of_field("GROUP_INVALID", field, what)
    return key
