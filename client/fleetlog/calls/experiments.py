"""Experiments: listed, made and changed."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import ingest_pb2, query_pb2

from fleetlog import arguments
from fleetlog.calls.base import PAGE, READ_SECONDS, Calls, Deleted, view
from fleetlog.views import Experiment


class ExperimentCalls(Calls):
    """Experiments of the namespace."""

    def experiments(self, *, deleted: Deleted = "active") -> list[Experiment]:
        """All experiments by number."""
        request = query_pb2.ListExperimentsRequest(
            namespace=self.namespace,
            page_size=PAGE,
            deleted_view=view(deleted),
            at_least=self._connection.position(),
        )
        found: list[Experiment] = []
        while True:
            response = self._connection.call(self._connection.query.ListExperiments, request, READ_SECONDS)
            found += [Experiment.of(one) for one in response.experiments]
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    def get_experiment(self, which: str | int | Experiment) -> Experiment:
        """One experiment by name or number. NotFound."""
        request = query_pb2.GetExperimentRequest(namespace=self.namespace, at_least=self._connection.position())
        known = arguments.experiment(which, "which")
        if isinstance(known, int):
            request.experiment_id = known
        else:
            request.name = known
        return Experiment.of(self._connection.call(self._connection.query.GetExperiment, request).experiment)

    def create_experiment(
        self, name: str, tags: Mapping[str, object] | None = None, *, exist_ok: bool = False
    ) -> Experiment:
        """Make an experiment. AlreadyExists unless exist_ok."""
        request = ingest_pb2.CreateExperimentRequest(
            namespace=self.namespace,
            request_id=new_random_id(),
            name=arguments.one_text("name", name),
            tags=arguments.tags(tags),
            exist_ok=arguments.flag("exist_ok", exist_ok),
        )
        response = self._connection.call(self._connection.ingest.CreateExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)

    def update_experiment(
        self, experiment_id: int | Experiment, *, name: str | None = None, tags: Mapping[str, object] | None = None
    ) -> Experiment:
        """Rename an experiment or set tags. NotFound, AlreadyExists."""
        request = ingest_pb2.UpdateExperimentRequest(
            namespace=self.namespace,
            request_id=new_random_id(),
            experiment_id=arguments.experiment_id(experiment_id),
            name=None if name is None else arguments.one_text("name", name),
            tags=arguments.tags(tags),
        )
        response = self._connection.call(self._connection.ingest.UpdateExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)

    def delete_experiment(self, experiment_id: int | Experiment) -> Experiment:
        """Hide an experiment and its runs from searches."""
        request = ingest_pb2.DeleteExperimentRequest(
            namespace=self.namespace, request_id=new_random_id(), experiment_id=arguments.experiment_id(experiment_id)
        )
        response = self._connection.call(self._connection.ingest.DeleteExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)

    def restore_experiment(self, experiment_id: int | Experiment) -> Experiment:
        """Bring a deleted experiment back."""
        request = ingest_pb2.RestoreExperimentRequest(
            namespace=self.namespace, request_id=new_random_id(), experiment_id=arguments.experiment_id(experiment_id)
        )
        response = self._connection.call(self._connection.ingest.RestoreExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)
