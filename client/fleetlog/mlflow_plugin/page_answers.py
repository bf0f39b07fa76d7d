"""JSON of MLflow's REST API for runs and points, made out of fleetlog's messages. Pure.

MLflow makes entities of what a store answers, messages of these, dictionaries of these, and then text: of a chart of a
hundred runs that is most of a second. Here it is text at once, and says what MLflow's says, to which a test holds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from fleetlog_proto.v1 import run_pb2

from fleetlog._values.arguments import MODEL_PREFIX
from fleetlog.mlflow_plugin.entities import (
    dataset_inputs,
    param_text,
    run_artifacts,
    shown_value,
    stage,
    status_name,
)
from fleetlog.mlflow_plugin.hidden_tags import ARTIFACT_LOCATION, without_hidden

Point = tuple[int, int, float]
"""Time, step and value."""
Json = dict[str, Any]


def points_answer(key: str, points: Iterable[tuple[str, Sequence[Point]]]) -> str:
    """Returns the answer of metrics/get-history-bulk-interval. `points`: runs, and those of each in the order shown."""
    head = f'{{"key":{json.dumps(key)},"value":'
    found: list[str] = []
    for run_id, some in points:
        tail = f',"run_id":{json.dumps(run_id)}}}'
        found += [f'{head}{_number(value)},"timestamp":{time},"step":{step}{tail}' for time, step, value in some]
    return f'{{"metrics":[{",".join(found)}]}}' if found else "{}"


def runs_answer(runs: Iterable[Json], token: str | None) -> str:
    """Returns the answer of runs/search. `runs`: of run_json."""
    listed = list(runs)
    answer: Json = {"runs": listed} if listed else {}
    if token:
        answer["next_page_token"] = token
    return json.dumps(answer, separators=(",", ":"))


def run_json(run: run_pb2.Run, location: str, *, deleted: bool) -> Json:
    """Returns a run. `location`: its experiment's, unless the run keeps another one; `deleted`: with its experiment."""
    info: Json = {
        "run_uuid": run.run_id,
        "experiment_id": str(run.experiment_id),
        "run_name": run.name,
        "user_id": run.user,
        "status": status_name(run.state),
        "start_time": run.start_time_millis,
        "artifact_uri": run_artifacts(run.tags.get(ARTIFACT_LOCATION, location), run.run_id),
        "lifecycle_stage": stage(deleted),
        "run_id": run.run_id,
    }
    if run.end_time_millis:
        info["end_time"] = run.end_time_millis
    data: Json = {
        "metrics": [
            {
                "key": metric.key,
                "value": _shown(metric.last),
                "timestamp": metric.last_time_millis,
                "step": metric.last_step,
            }
            for metric in run.metrics
        ],
        "params": [{"key": param.key, "value": param_text(param)} for param in run.params],
        "tags": [{"key": key, "value": text} for key, text in sorted(without_hidden(run.tags).items())],
    }
    inputs: Json = {
        "dataset_inputs": _datasets(run),
        "model_inputs": [{"model_id": MODEL_PREFIX + model_id} for model_id in run.input_model_ids],
    }
    outputs: Json = {
        "model_outputs": [{"model_id": MODEL_PREFIX + one.model_id, "step": one.step} for one in run.model_outputs]
    }
    return {"info": info, "data": _some(data), "inputs": _some(inputs), "outputs": _some(outputs)}


def _datasets(run: run_pb2.Run) -> list[Json]:
    found: list[Json] = []
    for given in dataset_inputs(run.datasets):
        data = given.dataset
        one: Json = {"name": data.name, "digest": data.digest, "source_type": data.source_type, "source": data.source}
        if data.schema:
            one["schema"] = data.schema
        if data.profile:
            one["profile"] = data.profile
        tags = [{"key": tag.key, "value": tag.value} for tag in given.tags]
        found.append(_some({"tags": tags}) | {"dataset": one})
    return found


def _some(lists: Json) -> Json:
    """Returns it without what is empty."""
    return {name: value for name, value in lists.items() if value}


def _shown(value: float) -> float | str:
    """Returns a number as JSON can have it: the messages' own text for NaN."""
    return shown_value(value) if value == value else "NaN"


def _number(value: float) -> str:
    return repr(shown_value(value)) if value == value else '"NaN"'
