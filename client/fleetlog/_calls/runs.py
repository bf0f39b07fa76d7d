"""Runs by their ids: read and compared."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_proto.v1 import query_pb2, writer_pb2

from fleetlog._calls.base import PAGE
from fleetlog._calls.run_changes import RunChangeCalls
from fleetlog._transport.answers import check_ids, check_same, pages, understood
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog._values.as_of import AsOf, as_of_message, as_of_of
from fleetlog._views.comparing import OF, Comparison, Of
from fleetlog._views.series import Branch
from fleetlog._views.views import RunList, RunView
from fleetlog._views.writers import Writer
from fleetlog.errors import NotFound


class RunCalls(RunChangeCalls):
    """Runs by their ids."""

    def get_run(self, run_id: AnyRun, *, branch: Branch | None = None, as_of: AsOf | None = None) -> RunView:
        """One run, with summaries of its metrics and what went wrong with its events.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView.
            branch: Of a run that was rewound: a number from 0, or "current"; None = the one that has this id.
            as_of: When, as in search_runs; None = now.

        Raises:
            NotFound: The namespace has no such run.
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> client.get_run(run).summary("train_loss").min
            0.25

        """
        request = query_pb2.GetRunRequest(
            namespace=self.namespace,
            run_id=self._branch_id(run_id, branch),
            at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )
        run = self._connection.call(self._connection.query.GetRun, request, self.timeout).run
        check_same(self.target, "the run", run.run_id, request.run_id)
        with understood(self.target, "a run"):
            return RunView(run, self, as_of_of(request))

    def get_runs(
        self, run_ids: Sequence[AnyRun], *, branch: Branch | None = None, summaries: bool = False,
        as_of: AsOf | None = None,
    ) -> RunList:  # fmt: skip
        """Runs by id, in the order asked for; those that are not there are left out.

        Args:
            run_ids: Ids, Runs or RunViews, any number of them.
            branch: Of runs that were rewound: a number from 0, or "current"; None = those that have these ids.
            summaries: Fill `summary()` of their metrics.
            as_of: When, as in search_runs; None = now.

        Raises:
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> [one.name for one in client.get_runs([run])]
            ['baseline']

        """
        runs: list[RunView] = []
        known = self._branch_ids(run_ids, branch)
        summaries = arguments.flag("summaries", summaries)
        for first in range(0, len(known), PAGE):
            request = query_pb2.GetRunsRequest(
                namespace=self.namespace,
                run_ids=known[first : first + PAGE],
                summaries=summaries,
                at_least=self._connection.position(),
                as_of=as_of_message(as_of),
            )
            response = self._connection.call(self._connection.query.GetRuns, request, self.timeout)
            check_ids(self.target, "run", [run.run_id for run in response.runs], request.run_ids)
            with understood(self.target, "a run"):
                runs += [RunView(run, self, as_of_of(request)) for run in response.runs]
        return RunList(runs)

    def compare(self, run_ids: Sequence[AnyRun], *, of: Of = "last", branch: Branch | None = None) -> Comparison:
        """Runs side by side: params and tags that differ, and all metrics.

        Args:
            run_ids: Ids, Runs or RunViews, two or more.
            of: Number of each metric: "last", "min", "max", "mean" or "first".
            branch: Of runs that were rewound: a number from 0, or "current"; None = those that have these ids.

        Raises:
            NotFound: One of them is not there, or has no such branch.

        Examples:
            >>> other = client.import_runs({"metrics.val_loss": [3.5]}, "speedrun-old").run_ids[0]
            >>> client.compare([run, other]).metrics["val_loss"]
            [3.25, 3.5]

        """
        arguments.choice("of", of, dict.fromkeys(OF))
        known = self._branch_ids(run_ids, branch)
        runs = self.get_runs(known, summaries=of != "last")
        if len(runs) < len(known):
            there = {run.id for run in runs}
            missing = [one for one in known if one not in there]
            raise NotFound("RUN_NOT_FOUND", f"there is no run {missing[0]} in this namespace")
        return Comparison(runs, of)

    def writers(self, run_id: AnyRun) -> list[Writer]:
        """Processes that wrote to a run, and changes from outside: which of them are at work, and what came of each.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView.

        Returns:
            A list of Writer by rank, those without one first.

        Raises:
            NotFound: The namespace has no such run.

        Examples:
            >>> client.writers(run)[-1].missing_events
            0

        """
        connection, found = self._connection, list[Writer]()
        request = writer_pb2.ListWritersRequest(
            namespace=self.namespace,
            run_id=arguments.run_id(run_id),
            page_size=PAGE,
            at_least=connection.position(),
        )
        for page in pages(connection, connection.query.ListWriters, request, self.timeout):
            with understood(self.target, "a writer"):
                found += map(Writer.of, page.writers)
        return found
