"""Params, tags and batches of all kinds that runs log, as MLflow's tracking store has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleetlog_proto.v1 import event_pb2
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from mlflow.utils.validation import (
    _validate_batch_log_data,
    _validate_batch_log_limits,
    _validate_param,
    _validate_param_keys_unique,
    _validate_run_id,
    _validate_tag,
)

from fleetlog.mlflow_plugin.errors import missing, translated
from fleetlog.mlflow_plugin.hidden_tags import check_not_hidden
from fleetlog.mlflow_plugin.ledger import WrittenRun
from fleetlog.mlflow_plugin.run_metrics import RunMetricStore


class RunValueStore(RunMetricStore):
    """Params and tags of the namespace's runs."""

    def log_param(self, run_id: str, param: Param) -> None:
        """Log one param. MlflowException when the run has another value of it."""
        checked = _validate_param(param.key, param.value)
        run = self._active(run_id)
        self._put_params(run, [checked])
        self.wrote()

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> None:
        """Log metrics, params and tags. When one of them can't be logged, nothing of the batch is sent."""
        _validate_run_id(run_id)
        if params or tags:
            _, params, tags = _validate_batch_log_data([], params, tags)
            _validate_param_keys_unique(params)
            check_not_hidden(tag.key for tag in tags)
        _validate_batch_log_limits(metrics, params, tags)
        run = self._active(run_id)
        row = self._plain_row(run, metrics) if metrics and not params and not tags else None
        if row is not None:
            self.writers.put_row(run, row)
            if self.wait != "handed":
                self.wrote()
            return
        new = run.new_params(params)
        measured = [metric for metric in metrics if metric.model_id]
        rows = self._rows(run, [metric for metric in metrics if not metric.model_id] if measured else metrics)
        events = self._measured(run, measured)
        if new:
            self._put_params(run, new)
        if tags:
            self._put_tags(run, tags)
        for row in rows:
            self.writers.put_row(run, row)
        for event in events:
            self.writers.say(run, metrics_logged=event)
        if self.wait != "handed":
            self.wrote()

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Set a tag; mlflow.runName renames the run, too."""
        checked = _validate_tag(tag.key, tag.value)
        check_not_hidden([checked.key])
        self._put_tags(self._active(run_id), [checked])
        self.wrote()

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag. MlflowException when the run has none of it."""
        check_not_hidden([key])
        run = self._active(run_id)
        if key not in self.writers.read(run_id).tags:
            raise missing(f"No tag with name: {key} in run with id {run_id}")
        with translated():
            self.writers.say(run, tags_deleted=event_pb2.TagsDeleted(keys=[key]))
        self.wrote()

    def _put_params(self, run: WrittenRun, params: Iterable[Param]) -> None:
        new = run.new_params(list(params))
        if not new:
            return
        messages = [event_pb2.Param(key=param.key, text=str(param.value)) for param in new]
        with translated():
            self.writers.say(run, params_logged=event_pb2.ParamsLogged(params=messages))
        run.params.update((param.key, str(param.value)) for param in new)

    def _put_tags(self, run: WrittenRun, tags: Iterable[RunTag]) -> None:
        texts = {tag.key: str(tag.value) for tag in tags}
        with translated():
            self.writers.say(run, tags_set=event_pb2.TagsSet(tags=texts))
            if name := texts.get(MLFLOW_RUN_NAME):
                self.writers.say(run, run_updated=event_pb2.RunUpdated(name=name))
                run.name = name
