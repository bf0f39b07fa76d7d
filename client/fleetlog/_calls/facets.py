"""What runs can be asked for: their keys, and the values of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fleetlog_core import limits
from fleetlog_proto.v1 import aggregate_pb2, facets_pb2

from fleetlog._calls.base import Calls, Deleted, Experiments
from fleetlog._transport.answers import bad_answer
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf
from fleetlog._views.facets import KeyDescription, KeyInfo, Kind, ValueCount, describe_key, list_keys, list_values
from fleetlog._views.series import AXES, Axis, GroupCurve

_SCALES: dict[str | None, facets_pb2.HistogramScale.ValueType] = {
    None: facets_pb2.HISTOGRAM_SCALE_UNSPECIFIED,
    "linear": facets_pb2.HISTOGRAM_SCALE_LINEAR,
    "log": facets_pb2.HISTOGRAM_SCALE_LOG,
}


class FacetCalls(Calls):
    """Keys and values of many runs."""

    def keys(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        kind: Kind | Literal[""] = "",
        contains: str = "",
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> list[KeyInfo]:
        """Metrics, params and tags that runs have, with counts and ranges.

        Args:
            filter: Which runs are counted, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            kind: "metrics", "params" or "tags"; "" = all three.
            contains: Only keys with this text in them, in upper or lower case.
            deleted: "active", "deleted" or "all" runs.
            as_of: When, as in search_runs; None = now.

        Returns:
            A list of KeyInfo by kind, then key.

        Raises:
            InvalidArgument: An argument can't be meant; of a filter the message points at the column.
            NotFound: There is no such experiment.

        Examples:
            >>> [key.name for key in client.keys(experiments="speedrun", kind="metrics")]
            ['metrics.train_loss', 'metrics.val_loss']

        """
        scope = self._scope(filter, experiments, deleted, as_of)
        return list_keys(self._connection, scope, kind, arguments.one_text("contains", contains), self.timeout)

    def values(
        self,
        key: str,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        contains: str = "",
        limit: int | None = 100,
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> list[ValueCount]:
        """Values of a param, tag or attribute, the most frequent first.

        Args:
            key: As filters name it: "params.model", "tags.team", "user".
            filter: Which runs are counted, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            contains: Only values with this text in them, in upper or lower case.
            limit: Maximum of values; None = all.
            deleted: "active", "deleted" or "all" runs.
            as_of: When, as in search_runs; None = now.

        Returns:
            A list of ValueCount: the value as text, and how many runs have it.

        Raises:
            InvalidArgument: An argument can't be meant.
            NotFound: There is no such experiment.

        Examples:
            >>> client.values("tags.team", experiments="speedrun")
            [ValueCount(value='a', runs=1)]

        """
        most = arguments.maybe_count("limit", limit, 0)
        scope = self._scope(filter, experiments, deleted, as_of)
        key, contains = arguments.one_text("key", key), arguments.one_text("contains", contains)
        return list_values(self._connection, scope, key, contains, most, self.timeout)

    def describe_key(
        self,
        key: str,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        bins: int = 20,
        scale: Literal["linear", "log"] | None = None,
        min: float | None = None,  # noqa: A002
        max: float | None = None,  # noqa: A002
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> KeyDescription:
        """What the values of a param, tag or metric are like: how many differ, and a histogram of the numbers.

        Args:
            key: As filters name it: "params.lr", "tags.team", "metrics.val_loss", whose last values count.
            filter: Which runs are counted, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            bins: Number of bins, 1 to 100.
            scale: "linear": bins of the same width; "log": of the same ratio; None = what suits the range.
            min: Where the bins begin; None = at the lowest number.
            max: Where the bins end; None = at the highest number.
            deleted: "active", "deleted" or "all" runs.
            as_of: When, as in search_runs; None = now.

        Raises:
            InvalidArgument: An argument can't be meant.
            NotFound: There is no such experiment.

        Examples:
            >>> found = client.describe_key("metrics.val_loss", experiments="speedrun", bins=4)
            >>> found.distinct_values, [one.runs for one in found.bins]
            (1, [1])

        """
        request = facets_pb2.DescribeKeyRequest(
            scope=self._scope(filter, experiments, deleted, as_of),
            bins=arguments.count("bins", bins, 1),
            scale=_SCALES[arguments.choice("scale", scale, _SCALES)],
            min=None if min is None else arguments.real("min", min),
            max=None if max is None else arguments.real("max", max),
        )
        return describe_key(self._connection, request, arguments.one_text("key", key), self.timeout)

    def aggregate_metric(
        self,
        key: str,
        filter: str = "",  # noqa: A002
        *,
        group_by: Sequence[str] | str = (),
        experiments: Experiments = None,
        buckets: int = 200,
        axis: Axis = "step",
        limit: int = 20,
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> list[GroupCurve]:
        """What a metric was for groups of runs along its axis: mean, deviation, extremes, and of how many runs.

        Args:
            key: The metric's key.
            filter: Which runs, see docs/filter.md; "" = all. At most 10,000 of them have the metric.
            group_by: Params, tags and attributes whose values make a group, such as "params.lr"; () = one group.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            buckets: Maximum of buckets, 1 to 1,000; fewer of more than 2,000 runs.
            axis: "step", "time" or "relative": milliseconds since the start of each run.
            limit: Maximum of groups, 1 to 100: those with the most runs.
            deleted: "active", "deleted" or "all" runs.
            as_of: When, as in search_runs; None = now.

        Returns:
            A list of GroupCurve, the group with the most runs first.

        Raises:
            InvalidArgument: An argument can't be meant.
            ResourceExhausted: More than 10,000 runs match.

        Examples:
            >>> [curve.means.tolist() for curve in client.aggregate_metric("val_loss", experiments="speedrun")]
            [[3.25]]

        """
        keys = arguments.texts("group_by", group_by)
        request = aggregate_pb2.AggregateMetricRequest(
            scope=self._scope(filter, experiments, deleted, as_of),
            key=arguments.one_text("key", key),
            group_by=keys,
            buckets=arguments.count("buckets", buckets, 1, limits.AGGREGATE_BUCKETS),
            axis=AXES[arguments.choice("axis", axis, AXES)],
            limit=arguments.count("limit", limit, 1, limits.AGGREGATE_GROUPS),
        )
        found = self._connection.call(self._connection.query.AggregateMetric, request, self.timeout).groups
        return [GroupCurve(_labels(self.target, keys, one), one) for one in found]


def _labels(target: str, keys: Sequence[str], group: aggregate_pb2.AggregatedGroup) -> dict[str, str | None]:
    """Values of the keys. BAD_ANSWER."""
    if len(group.values) != len(keys):
        raise bad_answer(target, f"a group of {len(group.values)} values, of {len(keys)} keys")
    texts = (one.value if one.HasField("value") else None for one in group.values)
    return dict(zip(keys, texts, strict=True))
