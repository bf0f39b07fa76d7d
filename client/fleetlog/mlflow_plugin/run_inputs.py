"""Data and logged models that runs read and made, as MLflow's tracking store has them."""

from __future__ import annotations

import json
from typing import Any

from fleetlog_core import limits
from fleetlog_proto.v1 import event_pb2, logged_model_event_pb2
from mlflow.entities import DatasetInput, LoggedModelInput, LoggedModelOutput
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_MODELS
from mlflow.utils.validation import _validate_dataset_inputs, _validate_run_id, _validate_tag

from fleetlog._values.columns import pieces
from fleetlog.mlflow_plugin.entities import dataset_message
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.model_ids import known_model_id
from fleetlog.mlflow_plugin.run_values import RunValueStore


class RunInputStore(RunValueStore):
    """Inputs and outputs of the namespace's runs."""

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
            linked = logged_model_event_pb2.ModelsLinked(
                input_model_ids=[known_model_id(one.model_id) for one in models]
            )
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
        outputs = [
            logged_model_event_pb2.ModelOutput(model_id=known_model_id(one.model_id), step=one.step) for one in models
        ]
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
