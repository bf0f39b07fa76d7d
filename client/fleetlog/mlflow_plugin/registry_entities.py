"""Registered models and their versions as MLflow's entities. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fleetlog_core.rules.registry import STAGES
from fleetlog_proto.v1 import model_version_pb2, registered_model_pb2, registry_event_pb2
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag, RegisteredModel, RegisteredModelTag
from mlflow.entities.model_registry.registered_model_alias import RegisteredModelAlias

from fleetlog.errors import InvalidArgument
from fleetlog.mlflow_plugin.uris import ARTIFACT_SCHEME, artifact_root

RUN_ID = re.compile(r"[0-9a-f]{32}")
SERVED_SCHEME = "mlflow-artifacts"
"""Scheme of artifacts that `mlflow server` hands on to its store's repository."""


def model_entity(model: registered_model_pb2.RegisteredModel, scheme: str) -> RegisteredModel:
    """Returns a model with the latest version of each stage. `scheme`: of locations on fleetlog's servers."""
    return RegisteredModel(
        model.name,
        model.create_time_millis,
        model.update_time_millis,
        model.description or None,
        [version_entity(version, scheme) for version in model.latest_versions],
        [RegisteredModelTag(key, text) for key, text in sorted(model.tags.items())],
        [RegisteredModelAlias(alias, number) for alias, number in sorted(model.aliases.items())],
    )


def version_entity(version: model_version_pb2.ModelVersion, scheme: str) -> ModelVersion:
    """Returns a version. `scheme`: of locations on fleetlog's servers."""
    return ModelVersion(
        name=version.name,
        version=version.version,
        creation_timestamp=version.create_time_millis,
        last_updated_timestamp=version.update_time_millis,
        description=version.description or None,
        user_id=version.create_user or None,
        current_stage=STAGES[version.stage],
        source=shown_location(version.source, scheme),
        run_id=version.lineage.run_id or version.lineage.foreign_run_id or None,
        tags=[ModelVersionTag(key, text) for key, text in sorted(version.tags.items())],
        run_link=version.lineage.run_link or None,
        aliases=list(version.aliases),
        model_id=version.lineage.logged_model_id or None,
    )


def tag_texts(tags: Iterable[RegisteredModelTag | ModelVersionTag] | None) -> Mapping[str, str]:
    """Returns tags by key; of a key that comes twice the last one."""
    return {tag.key: "" if tag.value is None else str(tag.value) for tag in tags or ()}


def kept_location(location: str) -> str:
    """Returns a location as the registry keeps it: without the server that hands the files on.

    Files are below fleetlog-artifacts:/ in process, and below mlflow-artifacts:/ for clients of `mlflow server`.
    """
    return _with_scheme(location, SERVED_SCHEME, ARTIFACT_SCHEME)


def shown_location(location: str, scheme: str) -> str:
    """Returns a location as this process reaches it."""
    return _with_scheme(location, ARTIFACT_SCHEME, scheme)


def lineage_of(source: str, run_id: str | None) -> registry_event_pb2.ModelLineage:
    """Returns what a version came from. Files of the run are named, so that they can be loaded without MLflow."""
    if run_id and not RUN_ID.fullmatch(run_id):
        return registry_event_pb2.ModelLineage(foreign_run_id=run_id)
    lineage = registry_event_pb2.ModelLineage(run_id=run_id or "")
    if source.startswith(f"{ARTIFACT_SCHEME}:"):
        try:
            owner, path = artifact_root(source).owner("")
        except InvalidArgument:
            return lineage
        if owner == run_id:
            lineage.artifact_path = path
    return lineage


def _with_scheme(location: str, old: str, new: str) -> str:
    prefix = f"{old}:/"
    # With a host it is the files of another server.
    if location.startswith(prefix) and not location.startswith(f"{prefix}/"):
        return f"{new}:/{location.removeprefix(prefix)}"
    return location
