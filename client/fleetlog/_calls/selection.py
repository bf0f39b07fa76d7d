"""The choice of a model: the best runs, or the best groups of runs."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_proto.v1 import selection_pb2

from fleetlog._calls.base import READ_SECONDS, Deleted, Experiments
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
        where: str = "",
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

        client.select(experiments=["speedrun"], minimize="metrics.train_time", where="metrics.val_loss <= 3.28")
        client.select(minimize="min(metrics.val_loss)", group_by=["params.lr", "params.layers"], min_count=3)
        client.select(objectives=["metrics.val_loss ASC", "metrics.accuracy DESC"], mode="pareto")

        `where` is a filter; each of its parts that AND joins is asked one after another, and `why()` of the answer
        says how many runs each put aside. Several objectives (in the order `objectives`, `minimize`, `maximize`)
        become one order by `mode`: lexicographic, weighted or pareto. `statistic` (mean, median, best or worst) stands
        for a group. `artifact`: only runs with an artifact of this path or below it. `read_mask` as in search_runs;
        empty = attributes and what objectives and groups name. `as_of`, which can't be with `artifact`, as there.
        InvalidArgument.
        """
        wanted = objectives_of(minimize, maximize, objectives)
        request = selection_pb2.SelectRunsRequest(
            scope=self._scope(where, experiments, deleted, as_of),
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
        response = self._connection.call(self._connection.query.SelectRuns, request, READ_SECONDS)
        if len(response.groups) > request.limit:
            raise bad_answer(self.target, f"{len(response.groups):,} groups, and {request.limit:,} were asked for")
        with understood(self.target, "a selection"):
            return Selection.of(response, request, self)
