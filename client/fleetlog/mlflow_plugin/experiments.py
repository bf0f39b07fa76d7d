"""Experiments, as MLflow's tracking store has them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import experiment_pb2, ingest_pb2, position_pb2, query_pb2, scope_pb2
from mlflow.entities import Experiment, ExperimentTag, LifecycleStage, ViewType
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
from mlflow.utils.search_utils import SearchExperimentsUtils
from mlflow.utils.uri import resolve_uri_if_local
from mlflow.utils.validation import (
    _validate_experiment_artifact_location_length,
    _validate_experiment_name,
    _validate_experiment_tag,
    _validate_tag,
)

from fleetlog._calls.base import PAGE, TIMEOUT_SECONDS
from fleetlog._transport.answers import pages
from fleetlog.errors import AlreadyExists, NotFound
from fleetlog.mlflow_plugin.entities import experiment_entity
from fleetlog.mlflow_plugin.errors import bad_state, invalid, missing, translated
from fleetlog.mlflow_plugin.experiment_ids import experiment_number
from fleetlog.mlflow_plugin.page_sizes import check_max_results
from fleetlog.mlflow_plugin.page_tokens import page_start
from fleetlog.mlflow_plugin.store_base import StoreBase

FRESH_SECONDS = 5.0
"""Age up to which an experiment that this process read is known to be active."""


class ExperimentStore(StoreBase):
    """Experiments of the namespace."""

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Sequence[ExperimentTag] | None = None
    ) -> str:
        """Returns the new experiment's id."""
        _validate_experiment_name(name)
        location = resolve_uri_if_local(artifact_location) if artifact_location else ""
        if location:
            _validate_experiment_artifact_location_length(location)
        request = ingest_pb2.CreateExperimentRequest(
            namespace=self.place.namespace,
            request_id=new_random_id(),
            name=name,
            tags={tag.key: str(tag.value) for tag in tags or ()},
            artifact_location=location,
        )
        connection = self.writers.connection
        with translated():
            try:
                response = connection.call(connection.ingest.CreateExperiment, request, TIMEOUT_SECONDS)
            except AlreadyExists as error:
                raise AlreadyExists(error.reason, f"Experiment(name={name}) already exists. {error.message}") from None
        connection.saw(response.position)
        self._keep(response.experiment)
        return str(response.experiment.experiment_id)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Returns an experiment, also a deleted one."""
        return experiment_entity(self.read_experiment(experiment_id), self.artifact_root)

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        """Returns the experiment of a name, also a deleted one; None when there is none."""
        connection = self.writers.connection
        request = query_pb2.GetExperimentRequest(
            namespace=self.place.namespace, name=experiment_name, at_least=self.writers.position()
        )
        with translated():
            try:
                found = connection.call(connection.query.GetExperiment, request, TIMEOUT_SECONDS).experiment
            except NotFound:
                return None
        self._keep(found)
        return experiment_entity(found, self.artifact_root)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = SEARCH_MAX_RESULTS_DEFAULT,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList:
        """Returns a page of experiments: all are read, and MLflow's own code filters and sorts them."""
        check_max_results(max_results)
        page_start(page_token)
        found = [
            experiment_entity(one, self.artifact_root)
            for one in self.all_experiments()
            if view_type == ViewType.ALL or one.deleted == (view_type == ViewType.DELETED_ONLY)
        ]
        kept = SearchExperimentsUtils.filter(found, filter_string)
        ordered = SearchExperimentsUtils.sort(kept, order_by or ["creation_time DESC", "experiment_id ASC"])
        return PagedList(*SearchExperimentsUtils.paginate(ordered, page_token, max_results))

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Rename an experiment that is active."""
        _validate_experiment_name(new_name)
        experiment = self.read_experiment(experiment_id)
        if experiment.deleted:
            raise bad_state("Cannot rename a non-active experiment.")
        self._update(experiment.experiment_id, name=new_name)

    def delete_experiment(self, experiment_id: str) -> None:
        """Delete an experiment; its runs are deleted with it."""
        experiment = self.read_experiment(experiment_id)
        if experiment.deleted:
            raise missing(f"No Experiment with id={experiment_id} exists")
        connection = self.writers.connection
        request = ingest_pb2.DeleteExperimentRequest(
            namespace=self.place.namespace,
            request_id=new_random_id(),
            experiment_id=experiment.experiment_id,
            default_too=True,
        )
        with translated():
            response = connection.call(connection.ingest.DeleteExperiment, request, TIMEOUT_SECONDS)
        connection.saw(response.position)
        self._keep(response.experiment)

    def restore_experiment(self, experiment_id: str) -> None:
        """Restore an experiment with all its runs, also those that were deleted by themselves."""
        experiment = self.read_experiment(experiment_id)
        if not experiment.deleted:
            raise missing(f"No Experiment with id={experiment_id} exists")
        connection = self.writers.connection
        request = ingest_pb2.RestoreExperimentRequest(
            namespace=self.place.namespace, request_id=new_random_id(), experiment_id=experiment.experiment_id
        )
        with translated():
            response = connection.call(connection.ingest.RestoreExperiment, request, TIMEOUT_SECONDS)
        connection.saw(response.position)
        self._keep(response.experiment)
        for run in self.pages_of_runs([experiment.experiment_id], scope_pb2.DELETED_VIEW_DELETED, ["attributes"]):
            self.set_deleted(run.run_id, deleted=False)

    def _hard_delete_experiment(self, experiment_id: str) -> None:
        """Take an experiment away for good; MLflow's command `gc` calls it, when its runs are gone. "Default" stays
        deleted."""
        experiment = self.read_experiment(experiment_id)
        if not experiment.experiment_id:
            return
        connection = self.writers.connection
        request = ingest_pb2.PurgeExperimentRequest(
            namespace=self.place.namespace, request_id=new_random_id(), experiment_id=experiment.experiment_id
        )
        with translated():
            connection.saw(connection.call(connection.ingest.PurgeExperiment, request, TIMEOUT_SECONDS).position)
        self._experiments.pop(str(experiment.experiment_id), None)

    def set_experiment_tag(self, experiment_id: str, tag: ExperimentTag) -> None:
        """Set a tag of an experiment that is active."""
        _validate_experiment_tag(tag.key, tag.value)
        checked = _validate_tag(tag.key, tag.value)
        self._update(self.active_experiment(experiment_id).experiment_id, tags={checked.key: str(checked.value)})

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove a tag of an experiment that is active."""
        experiment = self.active_experiment(experiment_id)
        if key not in experiment.tags:
            raise missing(f"No tag with name: {key} in experiment with id {experiment_id}")
        self._update(experiment.experiment_id, deleted_tags=[key])

    def active_experiment(self, experiment_id: str, fresh_seconds: float = 0.0) -> experiment_pb2.Experiment:
        """Returns an experiment that is active; one that was read within `fresh_seconds` as it was then."""
        known = self._experiments.get(str(experiment_id))
        if known is not None and time.monotonic() - known[1] < fresh_seconds and not known[0].deleted:
            return known[0]
        experiment = self.read_experiment(experiment_id)
        if experiment.deleted:
            raise invalid(
                f"The experiment {experiment.experiment_id} must be in the 'active' state."
                f" Current state is {LifecycleStage.DELETED}."
            )
        return experiment

    def read_experiment(
        self, experiment_id: str, at_least: position_pb2.Position | None = None
    ) -> experiment_pb2.Experiment:
        """Returns an experiment by its id, "0" when that is empty. `at_least`: what it holds; None = see position."""
        number = experiment_number(experiment_id)
        connection = self.writers.connection
        request = query_pb2.GetExperimentRequest(
            namespace=self.place.namespace, experiment_id=number, at_least=at_least or self.writers.position()
        )
        with translated():
            try:
                found = connection.call(connection.query.GetExperiment, request, TIMEOUT_SECONDS).experiment
            except NotFound:
                raise missing(f"No Experiment with id={number} exists") from None
        self._keep(found)
        return found

    def all_experiments(self, at_least: position_pb2.Position | None = None) -> list[experiment_pb2.Experiment]:
        """Returns every experiment of the namespace by number, deleted ones too. `at_least`: as in read_experiment."""
        connection = self.writers.connection
        request = query_pb2.ListExperimentsRequest(
            namespace=self.place.namespace,
            page_size=PAGE,
            deleted_view=scope_pb2.DELETED_VIEW_ALL,
            at_least=at_least or self.writers.position(),
        )
        with translated():
            found = pages(connection, connection.query.ListExperiments, request, TIMEOUT_SECONDS)
            return [experiment for page in found for experiment in page.experiments]

    def _update(
        self,
        experiment_id: int,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        deleted_tags: Sequence[str] = (),
    ) -> None:
        connection = self.writers.connection
        request = ingest_pb2.UpdateExperimentRequest(
            namespace=self.place.namespace,
            request_id=new_random_id(),
            experiment_id=experiment_id,
            name=name,
            tags=tags,
            deleted_tags=deleted_tags,
        )
        with translated():
            response = connection.call(connection.ingest.UpdateExperiment, request, TIMEOUT_SECONDS)
        connection.saw(response.position)
        self._keep(response.experiment)

    def _keep(self, experiment: experiment_pb2.Experiment) -> None:
        self._experiments[str(experiment.experiment_id)] = (experiment, time.monotonic())
