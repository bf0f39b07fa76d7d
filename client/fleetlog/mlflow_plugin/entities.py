"""Messages of fleetlog as MLflow's entities, and back. Pure."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise

from fleetlog_proto.v1 import event_pb2, experiment_pb2, logged_model_event_pb2, logged_model_pb2, run_pb2
from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    ExperimentTag,
    InputTag,
    LifecycleStage,
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunStatus,
    RunTag,
)
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT
from mlflow.utils.uri import append_to_uri_path

from fleetlog._values.arguments import MODEL_PREFIX
from fleetlog._values.params import from_param
from fleetlog.mlflow_plugin.hidden_tags import ARTIFACT_LOCATION, FOREIGN_RUN, without_hidden
from fleetlog.mlflow_plugin.uris import ARTIFACT_SCHEME, FOLDER, MODELS_FOLDER

_STATES = {
    event_pb2.RUN_STATE_RUNNING: "RUNNING",
    event_pb2.RUN_STATE_SCHEDULED: "SCHEDULED",
    event_pb2.RUN_STATE_FINISHED: "FINISHED",
    event_pb2.RUN_STATE_FAILED: "FAILED",
    event_pb2.RUN_STATE_KILLED: "KILLED",
}
_PENDING = logged_model_event_pb2.LOGGED_MODEL_STATUS_PENDING
_MODEL_STATUSES = {
    logged_model_event_pb2.LOGGED_MODEL_STATUS_PENDING: LoggedModelStatus.PENDING,
    logged_model_event_pb2.LOGGED_MODEL_STATUS_READY: LoggedModelStatus.READY,
    logged_model_event_pb2.LOGGED_MODEL_STATUS_FAILED: LoggedModelStatus.FAILED,
}
_MODEL_ID = re.compile(f"{MODEL_PREFIX}([0-9a-f]{{32}})")
_NUMBERS = {name: number for number, name in _STATES.items()}
# MLflow knows no such state; FAILED, as of whatever ended it nobody said that it is well.
_STATES[event_pb2.RUN_STATE_LOST] = "FAILED"


def state_of(status: int) -> event_pb2.RunState.ValueType:
    """Returns the state of one of MLflow's statuses."""
    return _NUMBERS[RunStatus.to_string(status)]


def status_name(state: event_pb2.RunState.ValueType) -> str:
    """Returns MLflow's word for a state."""
    return _STATES.get(state, "RUNNING")


def location_of(experiment: experiment_pb2.Experiment, root: str | None) -> str:
    """Returns where the artifacts of an experiment are. `root`: the store's; None = on the server itself."""
    if experiment.artifact_location:
        return experiment.artifact_location
    return str(append_to_uri_path(root or f"{ARTIFACT_SCHEME}:/", str(experiment.experiment_id)))


def run_artifacts(location: str, run_id: str) -> str:
    """Returns where a run's artifacts are. `location`: its experiment's."""
    return str(append_to_uri_path(location, run_id, FOLDER))


def stage(deleted: bool) -> str:
    """Returns MLflow's word."""
    return str(LifecycleStage.DELETED if deleted else LifecycleStage.ACTIVE)


def experiment_entity(experiment: experiment_pb2.Experiment, root: str | None) -> Experiment:
    """Returns an experiment."""
    return Experiment(
        experiment_id=str(experiment.experiment_id),
        name=experiment.name,
        artifact_location=location_of(experiment, root),
        lifecycle_stage=stage(experiment.deleted),
        tags=[ExperimentTag(key, text) for key, text in sorted(experiment.tags.items())],
        creation_time=experiment.create_time_millis,
        last_update_time=experiment.update_time_millis,
    )


def run_info(run: run_pb2.Run, location: str, *, deleted: bool) -> RunInfo:
    """Returns what is known of a run beside its data. `location`: its experiment's, unless the run keeps another one;
    `deleted`: with its experiment."""
    return RunInfo(
        run_id=run.run_id,
        experiment_id=str(run.experiment_id),
        user_id=run.user,
        status=status_name(run.state),
        start_time=run.start_time_millis,
        end_time=run.end_time_millis if run.HasField("end_time_millis") else None,
        lifecycle_stage=stage(deleted),
        artifact_uri=run_artifacts(run.tags.get(ARTIFACT_LOCATION, location), run.run_id),
        run_name=run.name,
    )


def run_entity(run: run_pb2.Run, location: str, *, deleted: bool) -> Run:
    """Returns a run with its latest metrics, params as texts, tags, and the data that it read."""
    metrics = [
        Metric(metric.key, shown_value(metric.last), metric.last_time_millis, metric.last_step)
        for metric in run.metrics
    ]
    params = [Param(param.key, param_text(param)) for param in run.params]
    tags = [RunTag(key, text) for key, text in sorted(without_hidden(run.tags).items())]
    return Run(
        run_info(run, location, deleted=deleted),
        RunData(metrics=metrics, params=params, tags=tags),
        RunInputs(
            dataset_inputs=dataset_inputs(run.datasets),
            model_inputs=[LoggedModelInput(MODEL_PREFIX + model_id) for model_id in run.input_model_ids],
        ),
        RunOutputs(
            model_outputs=[LoggedModelOutput(MODEL_PREFIX + one.model_id, one.step) for one in run.model_outputs]
        ),
    )


def model_id_of(model_id: object) -> bytes | None:
    """Returns the bytes of a logged model's id; None when it can't be one."""
    found = _MODEL_ID.fullmatch(model_id) if isinstance(model_id, str) else None
    return None if found is None else bytes.fromhex(found.group(1))


def model_status(status: LoggedModelStatus) -> logged_model_event_pb2.LoggedModelStatus.ValueType:
    """Returns the number of one of MLflow's statuses."""
    return next((number for number, one in _MODEL_STATUSES.items() if one == status), _PENDING)


def model_entity(model: logged_model_pb2.LoggedModel, location: str) -> LoggedModel:
    """Returns a logged model. `location`: its experiment's, unless the model keeps another one."""
    model_id = MODEL_PREFIX + model.model_id
    location = model.tags.get(ARTIFACT_LOCATION, location)
    return LoggedModel(
        experiment_id=str(model.experiment_id),
        model_id=model_id,
        name=model.name,
        artifact_location=str(append_to_uri_path(location, MODELS_FOLDER, model_id, FOLDER)),
        creation_timestamp=model.create_time_millis,
        last_updated_timestamp=model.update_time_millis,
        model_type=model.model_type or None,
        source_run_id=model.source_run_id or model.tags.get(FOREIGN_RUN),
        status=_MODEL_STATUSES.get(model.status, LoggedModelStatus.PENDING),
        status_message=model.status_message or None,
        tags=without_hidden(model.tags),
        params=dict(model.params),
        metrics=[
            Metric(
                metric.key,
                shown_value(metric.value),
                metric.time_millis,
                metric.step,
                model_id=model_id,
                dataset_name=metric.dataset_name or None,
                dataset_digest=metric.dataset_digest or None,
                run_id=metric.run_id,
            )
            for metric in model.metrics
        ]
        or None,
    )


def param_text(param: event_pb2.Param) -> str:
    """Returns a param's value as MLflow has it, a text."""
    return param.text if param.WhichOneof("value") == "text" else str(from_param(param))


def shown_value(value: float) -> float:
    """Returns a metric's value as MLflow shows it: infinities are the largest doubles."""
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value


def dataset_inputs(datasets: Iterable[event_pb2.Dataset]) -> list[DatasetInput]:
    """Returns the datasets that a run read, with tags by key, the context among them: of one name and digest the
    first."""
    found: dict[tuple[str, str], DatasetInput] = {}
    for dataset in datasets:
        texts = dict(dataset.tags)
        if dataset.context:
            texts[MLFLOW_DATASET_CONTEXT] = dataset.context
        tags = [InputTag(key, text) for key, text in sorted(texts.items())]
        data = Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type=dataset.source_type,
            source=dataset.source,
            schema=dataset.schema or None,
            profile=dataset.profile or None,
        )
        found.setdefault((dataset.name, dataset.digest), DatasetInput(data, tags))
    return list(found.values())


def dataset_message(given: DatasetInput) -> event_pb2.Dataset:
    """Returns the message of data that a run read. The context is one of the tags there, and a field here."""
    tags = {tag.key: tag.value for tag in given.tags or ()}
    data = given.dataset
    return event_pb2.Dataset(
        name=data.name,
        digest=data.digest,
        context=tags.pop(MLFLOW_DATASET_CONTEXT, ""),
        source_type=data.source_type or "",
        source=data.source or "",
        schema=data.schema or "",
        profile=data.profile or "",
        tags=tags,
    )


def distinct_points(points: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Returns points (time, step, value) in MLflow's order, those that are the same once. NaN is the same as NaN."""
    if all(one[1] < other[1] and one[0] <= other[0] for one, other in pairwise(points)):
        # Later steps at later times, as nearly all are: in that order, and each once.
        return list(points)
    keyed = {(time, step, "nan" if math.isnan(value) else repr(value)): value for time, step, value in points}
    found = [(time, step, value) for (time, step, _), value in keyed.items()]
    return sorted(found, key=lambda point: (point[0], point[1], not math.isnan(point[2]), point[2]))
