"""Runs, as MLflow's tracking store has them: made, read, ended, deleted, taken away."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import event_pb2, experiment_pb2, ingest_pb2, run_pb2, scope_pb2
from mlflow.entities import Run, RunInfo, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.validation import _validate_tag

from fleetlog._calls.base import TIMEOUT_SECONDS
from fleetlog.mlflow_plugin.dataset_texts import DatasetTexts
from fleetlog.mlflow_plugin.entities import location_of, run_entity, run_info, state_of
from fleetlog.mlflow_plugin.errors import invalid, translated
from fleetlog.mlflow_plugin.experiments import FRESH_SECONDS, ExperimentStore
from fleetlog.mlflow_plugin.hidden_tags import check_not_hidden, location_tags
from fleetlog.mlflow_plugin.ledger import WrittenRun

_DELETED = "deleted"
_ENDED = (event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_KILLED)


class RunStore(ExperimentStore):
    """Runs of the namespace."""

    _texts: DatasetTexts

    def create_run(
        self,
        experiment_id: str,
        user_id: str,
        start_time: int | None,
        tags: Sequence[RunTag] | None,
        run_name: str | None,
    ) -> Run:
        """Returns a new run; handed over, not waited for, when its experiment was active a moment ago."""
        experiment = self.active_experiment(experiment_id, FRESH_SECONDS)
        given = {tag.key: str(tag.value) for tag in tags or ()}
        named = given.get(MLFLOW_RUN_NAME)
        if run_name and named and run_name != named:
            raise invalid(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
                f" (run_name='{run_name}', mlflow.runName='{named}')."
            )
        name = run_name or named or _generate_random_name()
        given[MLFLOW_RUN_NAME] = name
        checked = {tag.key: tag.value for tag in (_validate_tag(key, text) for key, text in given.items())}
        check_not_hidden(checked)
        location = location_of(experiment, self.artifact_root)
        checked |= location_tags(bool(experiment.artifact_location), location)
        start = get_current_time_millis() if start_time is None else start_time
        with translated():
            run = self.writers.create(
                experiment.experiment_id, name, user_id or "", start, given.get(MLFLOW_PARENT_RUN_ID, ""), checked
            )
        self.wrote()
        message = run_pb2.Run(
            run_id=run.run_id,
            experiment_id=experiment.experiment_id,
            name=name,
            user=user_id or "",
            state=event_pb2.RUN_STATE_RUNNING,
            start_time_millis=start,
            tags=checked,
        )
        return run_entity(message, location, deleted=False)

    def get_run(self, run_id: str) -> Run:
        """Returns a run with its data and inputs."""
        return self.entities_of([self.writers.read(run_id)])[0]

    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> RunInfo:
        """Change state, end or name of a run; durable when it returns."""
        run = self._active(run_id)
        message = self.writers.read(run_id)
        updated = event_pb2.RunUpdated(name=run_name or None)
        if run_status is not None:
            message.state = updated.state = state_of(run_status)
            self.writers.lives(run, lives=message.state not in _ENDED)
            if end_time is None:
                end_time = message.end_time_millis if message.state in _ENDED else 0
        if end_time is not None:
            message.end_time_millis = updated.end_time_millis = end_time
        if not message.end_time_millis:
            message.ClearField("end_time_millis")
        with translated():
            if run_name:
                message.name = run.name = run_name
                self.writers.say(run, tags_set=event_pb2.TagsSet(tags={MLFLOW_RUN_NAME: run_name}))
            if updated.ByteSize():
                self.writers.say(run, run_updated=updated)
        self.writers.flush("durable" if self.wait == "handed" else self.wait)
        return run_info(message, self._location(message.experiment_id), deleted=False)

    def delete_run(self, run_id: str) -> None:
        """Delete a run; its data stays."""
        self.writers.find(run_id, anew=True)
        self.set_deleted(run_id, deleted=True)

    def restore_run(self, run_id: str) -> None:
        """Restore a run that was deleted."""
        self.writers.find(run_id, anew=True)
        self.set_deleted(run_id, deleted=False)

    def _get_deleted_runs(self, older_than: int = 0) -> list[str]:
        """Returns ids of runs that were deleted at least `older_than` milliseconds ago, by themselves or with their
        experiment; MLflow's command `gc` calls it."""
        before = get_current_time_millis() - older_than
        found: list[str] = []
        for experiment in self.all_experiments():
            everything = experiment.deleted and experiment.update_time_millis <= before
            view = scope_pb2.DELETED_VIEW_ALL if everything else scope_pb2.DELETED_VIEW_DELETED
            for run in self.pages_of_runs([experiment.experiment_id], view, ["attributes"]):
                if everything or self.writers.read(run.run_id).delete_time_millis <= before:
                    found.append(run.run_id)
        return found

    def _hard_delete_run(self, run_id: str) -> None:
        """Take a run away for good; MLflow's command `gc` calls it."""
        if not self.writers.find(run_id, anew=True).deleted:
            self.set_deleted(run_id, deleted=True)
        connection = self.writers.connection
        request = ingest_pb2.PurgeRunRequest(
            namespace=self.place.namespace,
            run_id=run_id,
            request_id=new_random_id(),
            at_least=self.writers.position(),
        )
        with translated():
            connection.saw(connection.call(connection.ingest.PurgeRun, request, TIMEOUT_SECONDS).position)
        self.writers.forget(run_id)
        self.wrote()

    def entities_of(self, messages: Sequence[run_pb2.Run]) -> list[Run]:
        """Returns runs as entities: one is deleted when it is, or its experiment is."""
        numbers = {message.experiment_id for message in messages}
        experiments = {number: self._experiment_of(number, self._fresh_seconds) for number in numbers}
        for message in messages:
            self._texts.fill(self.writers, message)
        return [self.entity(message, experiments[message.experiment_id]) for message in messages]

    def entity(self, message: run_pb2.Run, experiment: experiment_pb2.Experiment) -> Run:
        """Returns a run as an entity."""
        location = location_of(experiment, self.artifact_root)
        return run_entity(message, location, deleted=message.deleted or experiment.deleted)

    @property
    def _fresh_seconds(self) -> float:
        """Age up to which what was read of an experiment is an answer."""
        return FRESH_SECONDS if self.wait == "handed" else 0.0

    def _experiment_of(self, number: int, fresh_seconds: float = math.inf) -> experiment_pb2.Experiment:
        known = self._experiments.get(str(number))
        if known is not None and time.monotonic() - known[1] < fresh_seconds:
            return known[0]
        return self.read_experiment(str(number))

    def _location(self, number: int) -> str:
        return location_of(self._experiment_of(number), self.artifact_root)

    def _active(self, run_id: str) -> WrittenRun:
        """Returns a run that takes writes. What this process knows of it counts, unless each write is waited for."""
        known = math.inf if self.wait == "handed" else 0.0
        run = self.writers.find(run_id, anew=self.wait != "handed")
        if run.deleted or self._experiment_of(run.experiment_id, known).deleted:
            raise invalid(f"The run {run_id} must be in the 'active' state. Current state is {_DELETED}.")
        return run
