"""MLflow's registry store over fleetlog: models, versions, stages, aliases, tags, webhooks, and prompts, which
MLflow makes of models. Each change is one decision in the order of the log, and can be read when its call returns."""

from __future__ import annotations

from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.store.model_registry.abstract_store import AbstractStore

from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.model_versions import ModelVersionStore
from fleetlog.mlflow_plugin.registered_models import RegisteredModelStore
from fleetlog.mlflow_plugin.registry_searches import RegistrySearchStore
from fleetlog.mlflow_plugin.uris import place_of
from fleetlog.mlflow_plugin.webhooks import WebhookStore


class FleetlogRegistryStore(RegisteredModelStore, ModelVersionStore, RegistrySearchStore, WebhookStore, AbstractStore):
    """Made by MLflow for `fleetlog://host:port/namespace`."""

    def __init__(self, store_uri: str | None = None, tracking_uri: str | None = None) -> None:
        with translated():
            place = place_of(store_uri)
        RegisteredModelStore.__init__(self, place)
        AbstractStore.__init__(self, store_uri, tracking_uri)

    def _await_model_version_creation(self, mv: ModelVersion, await_creation_for: Any) -> None:
        """Versions are ready when they are made."""
