"""The choice of a model: the best runs, or the best groups of runs."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_proto.v1 import selection_pb2

from fleetlog._calls.base import Deleted, Experiments
from fleetlog._calls.metrics import MetricCalls
from fleetlog._transport.answers import bad_answer, understood
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf
from fleetlog._views.selection import Mode, Objective, Selection, Statistic, mode_of, objectives_of, statistic_of

_INT32 = (1 << 31) - 1


class SelectionCalls(MetricCalls):
    """The best runs, and why."""

    def select(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Experiments = None,
        minimize: str | Sequence[str] | None = None,
        maximize: str | Sequence[str] | None = None,
        objectives: Sequence[str | Objective] = (),
        mode: Mode = "lexicographic",
        group_by: str | Sequence[str] = (),
        min_count: int = 1,
        statistic: Statistic = "mean",
        confidence: float = 0.95,
        artifact: str = "",
        limit: int = 10,
        runs_per_group: int = 1,
        read_mask: str | Sequence[str] = (),
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> Selection:
        """The best runs, or with `group_by` the best groups of runs (such as the seeds of one setting), and why.

        client.select(minimize="min(metrics.val_loss)", group_by=["params.lr", "params.layers"], min_count=3)
        client.select(objectives=["metrics.val_loss ASC", "metrics.accuracy DESC"], mode="pareto")

        Args:
            filter: Constraints, see docs/filter.md. Parts that AND joins are asked one after another, and `why()` of
                the answer says how many runs each put aside.
            experiments: Names, numbers or Experiments, or one of them; None = all.
            minimize: What is to be small, in the filter's words, such as "min(metrics.val_loss)".
            maximize: What is to be large.
            objectives: Texts such as "metrics.val_loss ASC", or Objectives; they come before the two above.
            mode: How several objectives become one order: "lexicographic", "weighted" or "pareto".
            group_by: Such as "params.lr"; runs with the same values are one group.
            min_count: Runs that a group has at least.
            statistic: What stands for a group: "mean", "median", "best" or "worst".
            confidence: Of the interval of a group's mean, between 0 and 1.
            artifact: Only runs with an artifact of this path or below it.
            limit: Maximum of groups.
            runs_per_group: Maximum of runs that each group tells of.
            read_mask: What to fill in these runs, as in search_runs; empty = attributes and what objectives and
                groups name.
            deleted: "active", "deleted" or "all" runs.
            as_of: When, as in search_runs; None = now.

        Returns:
            A Selection: a sequence of Group, the best first.

        Raises:
            InvalidArgument: An argument can't be meant.
            NotFound: There is no such experiment.

        Examples:
            >>> chosen = client.select("metrics.val_loss <= 3.28", experiments="speedrun", minimize="metrics.val_loss")
            >>> chosen.best.run.name
            'baseline'

        """
        wanted = objectives_of(minimize, maximize, objectives)
        request = selection_pb2.SelectRunsRequest(
            scope=self._scope(filter, experiments, deleted, as_of),
            objectives=[one.message() for one in wanted],
            mode=mode_of(mode),
            group_by=arguments.texts("group_by", group_by),
            min_count=arguments.count("min_count", min_count, 0, _INT32),
            statistic=statistic_of(statistic),
            confidence=arguments.real("confidence", confidence),
            limit=arguments.count("limit", limit, 0, _INT32),
            runs_per_group=arguments.count("runs_per_group", runs_per_group, 0, _INT32),
            artifact_path=arguments.one_text("artifact", artifact),
            read_mask=arguments.texts("read_mask", read_mask),
        )
        return self._selected(request)

    def _selected(self, request: selection_pb2.SelectRunsRequest) -> Selection:
        response = self._connection.call(self._connection.query.SelectRuns, request, self.timeout)
        if len(response.groups) > request.limit:
            raise bad_answer(self.target, f"{len(response.groups):,} groups, and {request.limit:,} were asked for")
        with understood(self.target, "a selection"):
            return Selection.of(response, request, self)
