"""Searches: some runs, all of them, the best one, or those that stay live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_proto.v1 import query_pb2, watch_pb2

from fleetlog._calls.base import Deleted, Experiments, view
from fleetlog._calls.metrics import MetricCalls
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf, as_of_message
from fleetlog._views.searches import Explanation, RunSearch, search
from fleetlog._views.views import Experiment, RunList, RunView
from fleetlog._views.watching import RunChanges, RunWatch

Total = Literal["exact", "at_least"]
_TOTALS: dict[Total | None, query_pb2.TotalCount.ValueType] = {
    None: query_pb2.TOTAL_COUNT_NONE,
    "at_least": query_pb2.TOTAL_COUNT_AT_LEAST,
    "exact": query_pb2.TOTAL_COUNT_EXACT,
}


class SearchCalls(MetricCalls):
    """Runs by what they are."""

    def search_runs(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        order_by: str | Sequence[str] = (),
        limit: int | None = 100,
        read_mask: str | Sequence[str] = (),
        summaries: bool = False,
        deleted: Deleted = "active",
        total: Total | None = None,
        as_of: AsOf | None = None,
    ) -> RunList:
        """Runs that match a filter; see docs/filter.md. `limit=None` is all of them, read when they are looked at.

        `experiments` are names, numbers or Experiments, or one of them; left out = all. `order_by` has items such as
        "metrics.val_loss ASC"; `read_mask` names what to fill ("attributes", "params", "metrics.val_loss", …), empty =
        everything. `total` counts what matches without the limit: "exact", or "at_least", which stops at 10,000.
        `as_of` reads everything as it was at a time: a datetime, a text such as "2026-01-31T12:00:00Z" or "2h" (ago),
        seconds or milliseconds since 1970, or the `position` of a list before. InvalidArgument names an argument that
        can't be.
        """
        request = self._search_request(filter, experiments, order_by, read_mask, summaries, deleted, as_of)
        request.total_count = _TOTALS[arguments.choice("total", total, _TOTALS)]
        return search(RunSearch(self.target, request, self), arguments.maybe_count("limit", limit, 0))

    def explain_search(
        self,
        filter: str = "",  # noqa: A002
        *,
        order_by: str | Sequence[str] = (),
        as_of: AsOf | None = None,
    ) -> Explanation:
        """How a filter and an order are understood, and which tables they would read. See search_runs."""
        search = self._search_request(filter, None, order_by, (), False, "active", as_of)
        request = query_pb2.ExplainSearchRequest(search=search)
        response = self._connection.call(self._connection.query.ExplainSearch, request)
        return Explanation(tuple(response.lines), response.reads_points)

    def stream_runs(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        order_by: str | Sequence[str] = (),
        read_mask: str | Sequence[str] = (),
        summaries: bool = False,
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> Iterator[RunView]:
        """All runs that match, one after another, however many: only some are at hand at a time. See search_runs.

        Which runs and in which order is as of the beginning: a run that changes meanwhile comes once. Goes on by itself
        when the connection breaks; runs that changed places meanwhile may then come twice or not.
        """
        request = self._search_request(filter, experiments, order_by, read_mask, summaries, deleted, as_of)
        return RunSearch(self.target, request, self).runs()

    def watch_runs(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        order_by: str | Sequence[str] = (),
        limit: int = 100,
        read_mask: str | Sequence[str] = (),
        deleted: Deleted = "active",
    ) -> Iterator[RunChanges]:
        """The first runs of a search, and again whenever they change: what is new is told within a third of a second.

        The first item has all of them; it comes at once. Goes on by itself when the server is away for a while, and
        misses nothing. `limit` is at most 1,000; the rest as in search_runs.
        """
        scope = self._scope(filter, experiments, deleted)
        request = watch_pb2.WatchRunsRequest(
            scope=scope,
            order_by=arguments.texts("order_by", order_by),
            limit=arguments.count("limit", limit, 1, limits.PAGE_SIZE),
            read_mask=arguments.texts("read_mask", read_mask),
        )
        return RunWatch(self.target, request, self).changes()

    def best_run(
        self,
        experiment: str | int | Experiment,
        *,
        minimize: str | None = None,
        maximize: str | None = None,
        filter: str = "",  # noqa: A002
    ) -> RunView | None:
        """The run with the lowest or highest number, None when no run has one.

        Of "metrics.x", "params.x", "min(metrics.x)", "metrics.x - metrics.y", …: what order_by of a search may say.
        """
        if (minimize is None) == (maximize is None):
            raise InvalidArgument(
                "ARGUMENT_INVALID", "give one of minimize and maximize, for example minimize='metrics.val_loss'"
            )
        key = arguments.one_text(
            "maximize" if minimize is None else "minimize", maximize if minimize is None else minimize
        )
        there = f"{key} != NaN"
        runs = self.search_runs(
            f"({filter}) AND {there}" if filter else there,
            experiments=[arguments.experiment(experiment)],
            order_by=[f"{key} {'DESC' if minimize is None else 'ASC'}"],
            limit=1,
        )
        return runs[0] if runs else None

    def _search_request(
        self, filter_: str, experiments: Experiments, order_by: str | Sequence[str], read_mask: str | Sequence[str],
        summaries: bool, deleted: Deleted, as_of: AsOf | None,
    ) -> query_pb2.SearchRunsRequest:  # fmt: skip
        numbers, names = arguments.experiments(experiments)
        return query_pb2.SearchRunsRequest(
            namespace=self.namespace,
            experiment_ids=numbers,
            experiment_names=names,
            filter=arguments.one_text("filter", filter_),
            order_by=arguments.texts("order_by", order_by),
            read_mask=arguments.texts("read_mask", read_mask),
            summaries=arguments.flag("summaries", summaries),
            deleted_view=view(deleted),
            at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )
