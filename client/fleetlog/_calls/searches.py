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
        """Runs that match a filter, in order.

        Args:
            filter: What runs must be, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            order_by: Items such as "metrics.val_loss ASC"; empty = the latest start first.
            limit: Maximum of runs; None = all, read when they are looked at.
            read_mask: What to fill: "attributes", "params", "tags", "metrics", "datasets", or single keys such as
                "metrics.val_loss"; empty = everything.
            summaries: Fill `summary()` of their metrics.
            deleted: "active", "deleted" or "all" runs, or "superseded": branches that a rewind left behind.
            total: Counts what matches without the limit: "exact", or "at_least", which stops at 10,000.
            as_of: Reads everything as it was: a datetime, a text such as "2026-01-31T12:00:00Z" or "2h" (ago), seconds
                or milliseconds since 1970, or the `position` of a list before; None = now.

        Returns:
            A RunList: a sequence of RunView, also `to_pandas()`, `to_polars()`, `to_arrow()`.

        Raises:
            InvalidArgument: An argument can't be meant; of a filter the message points at the column.
            NotFound: There is no such experiment.

        Examples:
            >>> runs = client.search_runs("metrics.val_loss < 3.28 AND params.lr < 1e-3", experiments="speedrun")
            >>> runs[0].metrics["val_loss"]
            3.25

        """
        request = self._search_request(filter, experiments, order_by, read_mask, summaries, deleted, as_of)
        request.total_count = _TOTALS[arguments.choice("total", total, _TOTALS)]
        return search(RunSearch(self.target, request, self, self.timeout), arguments.maybe_count("limit", limit, 0))

    def explain_search(
        self,
        filter: str = "",  # noqa: A002
        *,
        order_by: str | Sequence[str] = (),
        as_of: AsOf | None = None,
    ) -> Explanation:
        """How a filter and an order are understood, and which tables they would read.

        Args:
            filter: See docs/filter.md.
            order_by: Items such as "metrics.val_loss ASC".
            as_of: When, as in search_runs; None = now.

        Raises:
            InvalidArgument: The filter or the order can't be read.

        Examples:
            >>> client.explain_search("metrics.val_loss < 3.28").reads_points
            False

        """
        search = self._search_request(filter, None, order_by, (), False, "active", as_of)
        request = query_pb2.ExplainSearchRequest(search=search)
        response = self._connection.call(self._connection.query.ExplainSearch, request, self.timeout)
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
        """All runs that match, one after another, however many: only some are at hand at a time.

        Which runs and in which order is as of the beginning: a run that changes meanwhile comes once. Goes on by itself
        when the connection breaks; runs that changed places meanwhile may then come twice or not.

        Args:
            filter: What runs must be, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            order_by: Items such as "metrics.val_loss ASC"; empty = the latest start first.
            read_mask: What to fill, as in search_runs; empty = everything.
            summaries: Fill `summary()` of their metrics.
            deleted: "active", "deleted" or "all" runs, or "superseded": branches that a rewind left behind.
            as_of: When, as in search_runs; None = now.

        Returns:
            An iterator of RunView. Errors are raised while it is read.

        Raises:
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> [one.name for one in client.stream_runs(experiments="speedrun")]
            ['baseline']

        """
        request = self._search_request(filter, experiments, order_by, read_mask, summaries, deleted, as_of)
        return RunSearch(self.target, request, self, self.timeout).runs()

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
        misses nothing.

        Args:
            filter: What runs must be, see docs/filter.md; "" = all.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            order_by: Items such as "metrics.val_loss ASC"; empty = the latest start first.
            limit: Number of the first runs that are watched, 1 to 1,000.
            read_mask: What to fill, as in search_runs; empty = everything.
            deleted: "active", "deleted" or "all" runs, or "superseded": branches that a rewind left behind.

        Returns:
            An endless iterator of RunChanges. Errors are raised while it is read.

        Raises:
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> first = next(client.watch_runs(experiments="speedrun"))
            >>> [one.name for one in first.entered]
            ['baseline']

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

        Args:
            experiment: Name, number or Experiment.
            minimize: What is to be low: "metrics.x", "params.x", "min(metrics.x)", "metrics.x - metrics.y", …
            maximize: What is to be high; one of the two is given.
            filter: What runs must be, see docs/filter.md; "" = all.

        Raises:
            InvalidArgument: Both or neither were given, or they can't be read.
            NotFound: There is no such experiment.

        Examples:
            >>> client.best_run("speedrun", minimize="metrics.val_loss").name
            'baseline'

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
