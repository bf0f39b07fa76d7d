"""MLflow's tracking store over fleetlog.

Metrics, params and tags are handed over to the process's delivery: order is that of the calls, and training goes on
whatever the server does. An end of a run, experiments and deletions are durable when the call returns. Within `mlflow
server`, whose processes share nothing, every write is durable when its call returns, and every read holds what anybody
wrote before.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlflow.entities import Metric, Param, RunTag
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.async_logging.run_operations import RunOperations
from mlflow.utils.uri import resolve_uri_if_local

from fleetlog.mlflow_plugin.dataset_texts import DatasetTexts
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.evaluation_datasets import EvaluationDatasetStore
from fleetlog.mlflow_plugin.issues import IssueStore
from fleetlog.mlflow_plugin.logged_models import LoggedModelStore
from fleetlog.mlflow_plugin.run_inputs import RunInputStore
from fleetlog.mlflow_plugin.scorers import ScorerStore
from fleetlog.mlflow_plugin.served import is_served
from fleetlog.mlflow_plugin.uris import place_of
from fleetlog.mlflow_plugin.waiting import operations


class FleetlogStore(LoggedModelStore, RunInputStore, IssueStore, EvaluationDatasetStore, ScorerStore, AbstractStore):
    """Made by MLflow for `fleetlog://host:port/namespace`. `artifact_uri`: where artifacts are kept, None = here."""

    DEFAULT_EXPERIMENT_ID = "0"

    def __init__(self, store_uri: str | None = None, artifact_uri: str | None = None) -> None:
        with translated():
            place = place_of(store_uri)
        root = artifact_uri or place.artifacts
        root = resolve_uri_if_local(root) if root else None
        LoggedModelStore.__init__(self, place, root, place.wait or ("durable" if is_served() else "handed"))
        self._right_keys, self._texts = set(), DatasetTexts()

    def log_metric_async(self, run_id: str, metric: Metric) -> RunOperations:
        """As log_metric."""
        self.log_metric(run_id, metric)
        return operations(self.writers.flush)

    def log_param_async(self, run_id: str, param: Param) -> RunOperations:
        """As log_param."""
        self.log_param(run_id, param)
        return operations(self.writers.flush)

    def set_tag_async(self, run_id: str, tag: RunTag) -> RunOperations:
        """As set_tag."""
        self.set_tag(run_id, tag)
        return operations(self.writers.flush)

    def log_batch_async(
        self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> RunOperations:
        """As log_batch: in the order of the calls."""
        self.log_batch(run_id, metrics, params, tags)
        return operations(self.writers.flush)

    def flush_async_logging(self) -> None:
        """Wait until everything that was logged is durable."""
        self.writers.flush()

    def end_async_logging(self) -> None:
        """As flush_async_logging."""
        self.writers.flush()

    def shut_down_async_logging(self) -> None:
        """MLflow calls it before a run ends, which waits by itself."""

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        """Traces are not kept: NotImplementedError."""
        raise NotImplementedError("fleetlog keeps no traces yet")
