"""Ids of logged models that a call names."""

from __future__ import annotations

from mlflow.exceptions import MlflowException

from fleetlog.mlflow_plugin.entities import model_id_of
from fleetlog.mlflow_plugin.errors import missing


def known_model_id(model_id: str) -> bytes:
    """Returns the bytes of an id. MlflowException when no logged model can have it."""
    found = model_id_of(model_id)
    if found is None:
        raise model_not_found(model_id)
    return found


def model_not_found(model_id: str) -> MlflowException:
    """Returns the error of a logged model that is not there."""
    return missing(f"Logged model with ID '{model_id}' not found.")
