"""Runs and what is logged to them, as MLflow's tracking store has them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from fleetlog_core import limits
from fleetlog_core.ids import new_random_id
from fleetlog_core.rules.names import check_key
from fleetlog_proto.v1 import event_pb2, experiment_pb2, ingest_pb2, logged_model_event_pb2, run_pb2, scope_pb2
from mlflow.entities import (
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunInfo,
    RunTag,
)
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_MODELS, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.validation import (
    _validate_batch_log_data,
    _validate_batch_log_limits,
    _validate_dataset_inputs,
    _validate_metric,
    _validate_param,
    _validate_param_keys_unique,
    _validate_run_id,
    _validate_tag,
)

from fleetlog._calls.base import TIMEOUT_SECONDS
from fleetlog._events.framing import rows_event
from fleetlog._events.grouping import by_keys
from fleetlog._events.items import Row
from fleetlog._values.columns import pieces
from fleetlog.mlflow_plugin.dataset_texts import DatasetTexts
from fleetlog.mlflow_plugin.entities import dataset_message, location_of, model_id_of, run_entity, run_info, state_of
from fleetlog.mlflow_plugin.errors import invalid, missing, translated
from fleetlog.mlflow_plugin.experiments import FRESH_SECONDS, ExperimentStore
from fleetlog.mlflow_plugin.ledger import WrittenRun

MAX_KEYS = 100_000
"""Maximum of metric keys that are remembered as right."""
_INT64 = 1 << 63
_DELETED = "deleted"


class RunStore(ExperimentStore):
    """Runs of the namespace."""

    _right_keys: set[str]
    """Metric keys that MLflow and the server were found to take."""
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
        return run_entity(message, location_of(experiment, self.artifact_root), deleted=False)

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

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Log one point: handed over."""
        run = self._active(run_id)
        if metric.model_id:
            for event in self._measured(run, (metric,), alone=True):
                self.writers.say(run, metrics_logged=event)
        else:
            for row in self._rows(run, (metric,), alone=True):
                self.writers.put_row(run, row)
        if self.wait != "handed":
            self.wrote()

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
        _, params, tags = _validate_batch_log_data([], params, tags)
        _validate_batch_log_limits(metrics, params, tags)
        _validate_param_keys_unique(params)
        run = self._active(run_id)
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
        self._put_tags(self._active(run_id), [checked])
        self.wrote()

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag. MlflowException when the run has none of it."""
        run = self._active(run_id)
        if key not in self.writers.read(run_id).tags:
            raise missing(f"No tag with name: {key} in run with id {run_id}")
        with translated():
            self.writers.say(run, tags_deleted=event_pb2.TagsDeleted(keys=[key]))
        self.wrote()

    def log_inputs(
        self,
        run_id: str,
        datasets: list[DatasetInput] | None = None,
        models: list[LoggedModelInput] | None = None,
    ) -> None:
        """Log data and logged models that a run read: of one name and digest, or id, the first stays."""
        _validate_run_id(run_id)
        if datasets is not None:
            if not isinstance(datasets, list):
                raise TypeError(f"Argument 'datasets' should be a list, got '{type(datasets)}'")
            _validate_dataset_inputs(datasets)
        run = self._active(run_id)
        if models:
            linked = logged_model_event_pb2.ModelsLinked(input_model_ids=[_model(one.model_id) for one in models])
            with translated():
                self.writers.say(run, models_linked=linked)
        new = run.new_datasets(dataset_message(given) for given in datasets or ())
        self._texts.put(self.writers, run, new)
        with translated():
            for piece in pieces(new, event_pb2.Dataset.ByteSize):
                for first in range(0, len(piece), limits.DATASETS_PER_RUN):
                    some = piece[first : first + limits.DATASETS_PER_RUN]
                    self.writers.say(run, datasets_logged=event_pb2.DatasetsLogged(datasets=some))
        self.wrote()

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        """Log logged models that a run made: of one id the first step stays."""
        run = self._active(run_id)
        outputs = [logged_model_event_pb2.ModelOutput(model_id=_model(one.model_id), step=one.step) for one in models]
        if outputs:
            with translated():
                self.writers.say(run, models_linked=logged_model_event_pb2.ModelsLinked(outputs=outputs))
        self.wrote()

    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Add a model to the tag that lists a run's models."""
        from mlflow.models import Model

        if not isinstance(mlflow_model, Model):
            raise TypeError(f"Argument 'mlflow_model' should be mlflow.models.Model, got '{type(mlflow_model)}'")
        run = self._active(run_id)
        before = json.loads(self.writers.read(run_id).tags.get(MLFLOW_LOGGED_MODELS, "[]"))
        checked = _validate_tag(MLFLOW_LOGGED_MODELS, json.dumps([*before, mlflow_model.get_tags_dict()]))
        self._put_tags(run, [checked])
        self.wrote()

    def entities_of(self, messages: Sequence[run_pb2.Run]) -> list[Run]:
        """Returns runs as entities: one is deleted when it is, or its experiment is."""
        found: list[Run] = []
        numbers = {message.experiment_id for message in messages}
        experiments = {number: self._experiment_of(number, self._fresh_seconds) for number in numbers}
        for message in messages:
            experiment = experiments[message.experiment_id]
            self._texts.fill(self.writers, message)
            deleted = message.deleted or experiment.deleted
            found.append(run_entity(message, location_of(experiment, self.artifact_root), deleted=deleted))
        return found

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

    def _measured(
        self, run: WrittenRun, metrics: Sequence[Metric], *, alone: bool = False
    ) -> list[event_pb2.MetricsLogged]:
        """Returns metrics that name a logged model as events, one for each model, data and set of keys.
        MlflowException."""
        found: dict[tuple[bytes, str, str], list[Metric]] = {}
        for metric in metrics:
            of = (_model(metric.model_id), metric.dataset_name or "", metric.dataset_digest or "")
            found.setdefault(of, []).append(metric)
        events: list[event_pb2.MetricsLogged] = []
        for (model_id, name, digest), some in found.items():
            self.writers.measured_model(model_id.hex())
            for rows in by_keys(self._rows(run, some, alone=alone), limits.POINTS_PER_EVENT):
                event = rows_event(rows).metrics_logged
                event.model_id, event.dataset_name, event.dataset_digest = model_id, name, digest
                events.append(event)
        return events

    def _rows(self, run: WrittenRun, metrics: Sequence[Metric], *, alone: bool = False) -> list[Row]:
        """Returns the metrics as rows, one for each step and time that follow one another. MlflowException, which names
        the place among them, but for one that is `alone`."""
        rows: list[Row] = []
        found: dict[str, float] = {}
        at: tuple[int, int] | None = None
        right, writer = self._right_keys, run.writer
        for place, metric in enumerate(metrics):
            key, value, step, time = metric.key, metric.value, metric.step, metric.timestamp
            plain = type(value) is float and type(step) is int and type(time) is int and key in right
            if not (plain and 0 <= time <= limits.MAX_TIME_MILLIS and -_INT64 <= step < _INT64):
                value, step, time = self._checked(metric, "" if alone else f"metrics[{place}]")
            if at is not None and (at != (step, time) or key in found):
                if at == (step, time) and _same(found[key], value):
                    continue
                rows.append(Row(writer, tuple(found), list(found.values()), *at))
                found = {}
            at = (step, time)
            found[key] = value
        if at is not None:
            rows.append(Row(writer, tuple(found), list(found.values()), *at))
        return rows

    def _checked(self, metric: Metric, path: str) -> tuple[float, int, int]:
        """Returns value, step and time of a metric that MLflow's own check takes, and the server."""
        _validate_metric(metric.key, metric.value, metric.timestamp, metric.step, path=path)
        value, step, time = float(metric.value), int(metric.step or 0), int(metric.timestamp)
        if time > limits.MAX_TIME_MILLIS or not -_INT64 <= step < _INT64:
            raise invalid(f"Metric '{metric.key}' is at step {step} and time {time}: these are out of range")
        with translated():
            check_key(metric.key, "metrics")
        if len(self._right_keys) < MAX_KEYS:
            self._right_keys.add(metric.key)
        return value, step, time

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


_ENDED = (event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_KILLED)


def _model(model_id: str) -> bytes:
    """The bytes of a logged model's id. MlflowException when it can't be one."""
    found = model_id_of(model_id)
    if found is None:
        raise missing(f"Logged model with ID '{model_id}' not found.")
    return found


def _same(one: float, other: float) -> bool:
    """True if they are the same number, NaN among them."""
    return one == other or (math.isnan(one) and math.isnan(other))
