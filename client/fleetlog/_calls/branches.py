"""The branches of runs that were rewound: which one a call means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fleetlog_proto.v1 import query_pb2, run_pb2

from fleetlog._calls.base import PAGE, Calls
from fleetlog._transport.answers import check_ids
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog._views.series import Branch
from fleetlog.errors import NotFound


class BranchCalls(Calls):
    """What takes a `branch`."""

    def _branch_id(self, run_id: AnyRun, branch: Branch | None) -> str:
        """The id of a branch of a run. NotFound BRANCH_NOT_FOUND."""
        known = arguments.run_id(run_id)
        return known if branch is None else self._branch_ids([known], branch)[0]

    def _branch_ids(self, run_ids: Sequence[AnyRun], branch: Branch | None) -> list[str]:
        """The ids of the same branch of each run, in their order. NotFound BRANCH_NOT_FOUND, InvalidArgument.

        One question for all runs is asked for each step from branch to branch.
        """
        known = arguments.run_ids(run_ids)
        if branch is None:
            return known
        if branch != "current" and (isinstance(branch, bool) or not isinstance(branch, int) or branch < 0):
            raise arguments.invalid("branch", branch, "a number from 0, 'current' or None")
        runs = self._attributes(known)
        if branch == "current":
            found = self._followed(runs, lambda run: True)
        else:
            first = {key: run.root_run_id or key for key, run in runs.items()}
            roots = self._attributes(first.values())
            found = self._followed({key: roots[first[key]] for key in runs}, lambda run: run.branch < branch)
        for key, run in found.items():
            if branch not in ("current", run.branch):
                there = f"there are 0 to {run.branch}"
                raise NotFound("BRANCH_NOT_FOUND", f"run {key} has no branch {branch}: {there}")
        return [found[one].run_id for one in known]

    def _followed(self, runs: dict[str, run_pb2.Run], goes_on: Callable[[run_pb2.Run], bool]) -> dict[str, run_pb2.Run]:
        """For each run the branch that follows it, and so on for as long as there is one and `goes_on` says so."""
        found, seen = dict(runs), {key: {run.run_id} for key, run in runs.items()}
        while behind := {
            key: run.superseded_by
            for key, run in found.items()
            if run.superseded_by and run.superseded_by not in seen[key] and goes_on(run)
        }:
            read = self._attributes(set(behind.values()))
            for key, run_id in behind.items():
                found[key] = read[run_id]
                seen[key].add(run_id)
        return found

    def _attributes(self, run_ids: Iterable[str]) -> dict[str, run_pb2.Run]:
        """Runs by their ids. NotFound RUN_NOT_FOUND."""
        ids, found = list(dict.fromkeys(run_ids)), dict[str, run_pb2.Run]()
        for first in range(0, len(ids), PAGE):
            request = query_pb2.GetRunsRequest(
                namespace=self.namespace, run_ids=ids[first : first + PAGE], read_mask=["attributes"],
                at_least=self._connection.position(),
            )  # fmt: skip
            response = self._connection.call(self._connection.query.GetRuns, request, self.timeout)
            check_ids(self.target, "run", [run.run_id for run in response.runs], request.run_ids)
            found |= {run.run_id: run for run in response.runs}
        if missing := [one for one in ids if one not in found]:
            raise NotFound("RUN_NOT_FOUND", f"there is no run {missing[0]} in this namespace")
        return found
