"""Runs changed from outside their training code: one, or many alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fleetlog_core import limits
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from fleetlog._calls.metrics import MetricCalls
from fleetlog._runs.open_run import EndState
from fleetlog._transport.answers import canonical, check_ids
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun

_STATES: dict[str | None, event_pb2.RunState.ValueType] = {
    None: event_pb2.RUN_STATE_UNSPECIFIED,
    "FINISHED": event_pb2.RUN_STATE_FINISHED,
    "FAILED": event_pb2.RUN_STATE_FAILED,
    "KILLED": event_pb2.RUN_STATE_KILLED,
}


class RunChangeCalls(MetricCalls):
    """Changes of runs."""

    def update_run(
        self,
        run_id: AnyRun,
        *,
        name: str | None = None,
        tags: Mapping[str, object] | None = None,
        deleted_tags: str | Iterable[str] = (),
        state: EndState | None = None,
        deleted: bool | None = None,
    ) -> None:
        """Rename, tag, end, delete or restore a run from outside its training code.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView.
            name: Another display name, 1 to 500 characters; None = as it is.
            tags: Texts by key, beside those that it has.
            deleted_tags: Keys of tags to remove.
            state: Ends the run: "FINISHED", "FAILED" or "KILLED"; None = as it is.
            deleted: True hides it from searches, False brings it back; None = as it is.

        Raises:
            NotFound: The namespace has no such run.
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> client.update_run(run, tags={"reviewed": "yes"})
            >>> client.get_run(run).tags["reviewed"]
            'yes'

        """
        request = ingest_pb2.UpdateRunRequest(
            namespace=self.namespace,
            run_id=arguments.run_id(run_id),
            request_id=new_random_id(),
            name=None if name is None else arguments.one_text("name", name),
            tags=arguments.tags(tags),
            deleted_tags=arguments.texts("deleted_tags", deleted_tags),
            state=_state(state),
            deleted=None if deleted is None else arguments.flag("deleted", deleted),
            # The gateway looks the run up: what this process wrote of it must be there.
            at_least=self._connection.position(),
        )
        self._connection.saw(self._connection.call(self._connection.ingest.UpdateRun, request, self.timeout).position)

    def update_runs(
        self,
        run_ids: Sequence[AnyRun],
        *,
        tags: Mapping[str, object] | None = None,
        deleted_tags: str | Iterable[str] = (),
        state: EndState | None = None,
        deleted: bool | None = None,
    ) -> list[str]:
        """Tag, end, delete or restore many runs alike, a thousand at a time.

        Args:
            run_ids: Ids, Runs or RunViews, such as what search_runs found; any number of them.
            tags: Texts by key, beside those that each run has.
            deleted_tags: Keys of tags to remove.
            state: Ends the runs: "FINISHED", "FAILED" or "KILLED"; None = as they are.
            deleted: True hides them from searches, False brings them back; None = as they are.

        Returns:
            Ids of runs that the namespace does not have: nothing of them was changed.

        Raises:
            InvalidArgument: An argument can't be meant; then no run is changed.

        Examples:
            >>> client.update_runs(client.search_runs("metrics.val_loss < 3.28"), tags={"goal": "reached"})
            []

        """
        known = list(dict.fromkeys(map(canonical, arguments.run_ids(run_ids))))
        request = ingest_pb2.UpdateRunsRequest(
            namespace=self.namespace,
            request_id=new_random_id(),
            tags=arguments.tags(tags),
            deleted_tags=arguments.texts("deleted_tags", deleted_tags),
            state=_state(state),
            deleted=None if deleted is None else arguments.flag("deleted", deleted),
            # As UpdateRun.
            at_least=self._connection.position(),
        )
        missing: list[str] = []
        for first in range(0, len(known), limits.RUNS_PER_UPDATE):
            request.ClearField("run_ids")
            request.run_ids.extend(known[first : first + limits.RUNS_PER_UPDATE])
            response = self._connection.call(self._connection.ingest.UpdateRuns, request, self.timeout)
            check_ids(self.target, "run", response.missing_run_ids, request.run_ids)
            self._connection.saw(response.position)
            missing += response.missing_run_ids
        return missing

    def delete_run(self, run_id: AnyRun) -> None:
        """Hide a run from searches; its data stays. It takes nothing more until it is restored.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView.

        Raises:
            NotFound: The namespace has no such run.

        Examples:
            >>> other = client.import_runs({"metrics.val_loss": [3.5]}, "trials").run_ids[0]
            >>> client.delete_run(other)
            >>> len(client.search_runs(experiments="trials"))
            0

        """
        self.update_run(run_id, deleted=True)

    def restore_run(self, run_id: AnyRun) -> None:
        """Bring a deleted run back.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView.

        Raises:
            NotFound: The namespace has no such run.

        Examples:
            >>> other = client.import_runs({"metrics.val_loss": [3.5]}, "trials again").run_ids[0]
            >>> client.delete_run(other)
            >>> client.restore_run(other)
            >>> client.get_run(other).deleted
            False

        """
        self.update_run(run_id, deleted=False)


def _state(state: EndState | None) -> event_pb2.RunState.ValueType:
    """The number of a word, in any case. InvalidArgument."""
    return _STATES[arguments.choice("state", state.upper() if isinstance(state, str) else state, _STATES)]
