"""Distribution of the values of one key: how many differ, and a histogram of its numbers, counted by the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import facets_pb2

from fleetlog_query.facets.bins import Real, Scale, bin_count, check_range, edges_of, scale_of
from fleetlog_query.facets.values import among_shown
from fleetlog_query.language.fields import Kind
from fleetlog_query.language.plan import Plan
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.scope import Scope, attrs_of

_KINDS: dict[int, Kind] = {
    facets_pb2.KEY_KIND_PARAM: "params",
    facets_pb2.KEY_KIND_TAG: "tags",
    facets_pb2.KEY_KIND_METRIC: "metrics",
}
_DIFFERENT = {"params": "str", "tags": "str", "metrics": "if(isNaN(num), nan, num + 0.)"}
"""What tells one value from another. + 0. makes one zero of two."""


@dataclass(frozen=True)
class Described:
    """A key of the runs of a scope that match, as a request names it. KEY_KIND_INVALID, KEY_UNKNOWN, RANGE_INVALID."""

    scope: Scope
    plan: Plan | None
    deleted_view: int
    kind: Kind
    key: str
    bins: int
    scale: Scale
    low: float | None
    high: float | None

    @classmethod
    def of(cls, request: facets_pb2.DescribeKeyRequest, scope: Scope, plan: Plan | None) -> Described:
        """What a request asks of the runs of a scope."""
        kind = _KINDS.get(request.kind)
        if kind is None:
            what = "a param, a tag or a metric can be described; ListValues counts the values of an attribute"
            raise InvalidArgument.of_field("KEY_KIND_INVALID", "kind", what)
        if not request.key:
            raise InvalidArgument.of_field("KEY_UNKNOWN", "key", "it is empty; name a key, such as lr")
        low = request.min if request.HasField("min") else None
        high = request.max if request.HasField("max") else None
        check_range(low, high, request.scale)
        bins = bin_count(request.bins)
        return cls(scope, plan, request.scope.deleted_view, kind, request.key, bins, request.scale, low, high)

    def rows(self, binds: Binds) -> str:
        """Rows of the key, one a run: FROM and WHERE."""
        among = among_shown(self.scope, self.plan, DeletedView.of(self.deleted_view), binds)
        return f"{attrs_of(self.kind, self.key, self.scope, binds)}{among}"

    def summary_statement(self) -> Statement:
        """A row: runs, numbers, different values, and the range of finite numbers."""
        binds = Binds()
        sql = (
            "SELECT count() AS runs, countIf(NOT isNaN(num)) AS numeric,"
            f" uniqExact({_DIFFERENT[self.kind]}) AS different,"
            " countIf(isFinite(num)) AS finite, minIf(num, isFinite(num)) + 0. AS low,"
            " countIf(isFinite(num) AND num > 0) AS positive, minIf(num, isFinite(num) AND num > 0) AS low_positive,"
            f" maxIf(num, isFinite(num)) + 0. AS high {self.rows(binds)}"
        )
        return binds.statement(sql, wide=True)

    def bins_statement(self, edges: Real) -> Statement:
        """A row for each bin that has runs: its place from 1 on, 0 for numbers in none."""
        binds = Binds()
        low, high = binds.number(float(edges[0])), binds.number(float(edges[-1]))
        inner = binds.reals(edges[1:-1].tolist())
        place = f"if(num < {low} OR num > {high}, 0, 1 + arrayCount(edge -> edge <= num, {inner}))"
        sql = f"SELECT toUInt32({place}) AS place, count() AS runs {self.rows(binds)} AND NOT isNaN(num) GROUP BY place"
        return binds.statement(sql, wide=True)


class Distributions:
    """Describes keys. Thread-safe."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def describe(self, key: Described) -> facets_pb2.DescribeKeyResponse:
        """See the proto. TimedOut."""
        answer = self._warehouse.select(key.summary_statement())
        found = {name: answer.array(name)[0].item() for name in answer.columns}
        response = facets_pb2.DescribeKeyResponse(
            runs=found["runs"], numeric_runs=found["numeric"], distinct_values=found["different"]
        )
        if found["finite"]:
            response.min, response.max = found["low"], found["high"]
        edges, scale = _edges(key, found)
        if edges is None:
            response.outside_runs = found["numeric"]
            return response
        response.scale = scale
        self._fill(response, key, edges)
        return response

    def _fill(self, response: facets_pb2.DescribeKeyResponse, key: Described, edges: Real) -> None:
        answer = self._warehouse.select(key.bins_statement(edges))
        counts = dict(zip(answer.array("place").tolist(), answer.array("runs").tolist(), strict=True))
        ends = edges.tolist()
        for place, (low, high) in enumerate(pairwise(ends), 1):
            response.bins.add(low=low, high=high, runs=counts.get(place, 0))
        response.outside_runs = counts.get(0, 0)


def _edges(key: Described, found: dict[str, float]) -> tuple[Real | None, Scale]:
    """Edges and their scale; None without a number to divide by."""
    is_log = key.scale == facets_pb2.HISTOGRAM_SCALE_LOG
    some = found["positive"] if is_log else found["finite"]
    lowest = found["low_positive"] if is_log else found["low"]
    if not some and (key.low is None or key.high is None):
        return None, facets_pb2.HISTOGRAM_SCALE_UNSPECIFIED
    low = lowest if key.low is None else key.low
    high = found["high"] if key.high is None else key.high
    if low > high:
        # The range that is asked for ends where numbers begin, or begins where they end.
        return None, facets_pb2.HISTOGRAM_SCALE_UNSPECIFIED
    scale = scale_of(key.scale, low, high)
    return edges_of(low, high, key.bins, scale), scale
