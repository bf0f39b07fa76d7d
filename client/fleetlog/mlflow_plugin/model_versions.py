"""Versions of registered models, as MLflow's registry store has them."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from fleetlog_proto.v1 import model_version_pb2
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag
from mlflow.entities.model_registry.model_version_stages import (
    DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS,
    get_canonical_stage,
)
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import _parse_model_uri
from mlflow.utils.validation import (
    _validate_model_name,
    _validate_model_version,
    _validate_model_version_tag,
    _validate_tag_name,
)

from fleetlog._views.models import STAGE_NUMBERS
from fleetlog.mlflow_plugin.errors import invalid
from fleetlog.mlflow_plugin.registry_base import RegistryBase, number_of, of_model, of_version
from fleetlog.mlflow_plugin.registry_entities import (
    kept_location,
    lineage_of,
    shown_location,
    tag_texts,
    version_entity,
)


class ModelVersionStore(RegistryBase):
    """Versions of the models of the namespace."""

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Sequence[ModelVersionTag] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Returns the next version of a model. `local_model_path`: not used, files stay where they are."""
        _validate_model_name(name)
        for tag in tags or ():
            _validate_model_version_tag(tag.key, tag.value)
        location = source or ""
        if urlsplit(location).scheme == "models":
            location, run_id, model_id = self._resolved(location, run_id, model_id)
        elif model_id and not run_id:
            run_id = _logged_model(model_id).source_run_id
        kept = kept_location(location)
        lineage = lineage_of(kept, run_id)
        lineage.logged_model_id, lineage.run_link = model_id or "", run_link or ""
        request = model_version_pb2.CreateModelVersionRequest(
            name=name,
            source=kept_location(source or ""),
            storage_location=kept,
            description=description or "",
            tags=tag_texts(tags),
            lineage=lineage,
        )
        with of_model(name):
            answer = self.change(self.connection.registry.CreateModelVersion, request)
        return version_entity(answer.version, self.scheme)

    def update_model_version(self, name: str, version: str | int, description: str | None = None) -> ModelVersion:
        """Returns the version with another description."""
        number = self._number(name, version)
        request = model_version_pb2.UpdateModelVersionRequest(name=name, version=number, description=description or "")
        with of_version(name, version):
            answer = self.change(self.connection.registry.UpdateModelVersion, request)
        return version_entity(answer.version, self.scheme)

    def transition_model_version_stage(
        self, name: str, version: str | int, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        """Returns the version in another stage; the others of the stage can be archived in the same decision."""
        to = get_canonical_stage(stage)
        if archive_existing_versions and to not in DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS:
            raise invalid(
                "Model version transition cannot archive existing model versions "
                f"because '{stage}' is not an Active stage. "
                f"Valid stages are {DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS}"
            )
        number = self._number(name, version)
        request = model_version_pb2.TransitionModelVersionRequest(
            name=name, version=number, stage=STAGE_NUMBERS[to], archive_existing=bool(archive_existing_versions)
        )
        with of_version(name, version):
            answer = self.change(self.connection.registry.TransitionModelVersion, request)
        return version_entity(answer.version, self.scheme)

    def delete_model_version(self, name: str, version: str | int) -> None:
        """Delete a version and the aliases that name it. Its number is not given again."""
        number = self._number(name, version)
        request = model_version_pb2.DeleteModelVersionRequest(name=name, version=number)
        with of_version(name, version):
            self.change(self.connection.registry.DeleteModelVersion, request)

    def get_model_version(self, name: str, version: str | int) -> ModelVersion:
        """Returns a version."""
        return version_entity(self._version(name, version), self.scheme)

    def get_model_version_download_uri(self, name: str, version: str | int) -> str:
        """Returns where the files of a version are."""
        found = self._version(name, version)
        return shown_location(found.storage_location or found.source, self.scheme)

    def set_model_version_tag(self, name: str, version: str | int, tag: ModelVersionTag) -> None:
        """Set a tag of a version."""
        number = self._number(name, version)
        _validate_model_version_tag(tag.key, tag.value)
        request = model_version_pb2.UpdateModelVersionRequest(name=name, version=number, tags=tag_texts([tag]))
        with of_version(name, version):
            self.change(self.connection.registry.UpdateModelVersion, request)

    def delete_model_version_tag(self, name: str, version: str | int, key: str) -> None:
        """Remove a tag of a version, if it is there."""
        number = self._number(name, version)
        _validate_tag_name(key)
        request = model_version_pb2.UpdateModelVersionRequest(name=name, version=number, deleted_tags=[key])
        with of_version(name, version):
            self.change(self.connection.registry.UpdateModelVersion, request)

    def _number(self, name: str, version: str | int) -> int:
        _validate_model_name(name)
        _validate_model_version(version)
        return number_of(name, version)

    def _version(self, name: str, version: str | int) -> model_version_pb2.ModelVersion:
        request = model_version_pb2.GetModelVersionRequest(name=name, version=self._number(name, version))
        with of_version(name, version):
            return self.read(self.connection.registry_query.GetModelVersion, request).version

    def _resolved(self, source: str, run_id: str | None, model_id: str | None) -> tuple[str, str | None, str | None]:
        """Returns where the files of a models:/ URI are, its run, and its logged model."""
        address = _parse_model_uri(source)
        try:
            if address.model_id is not None:
                model = _logged_model(address.model_id)
                return str(model.artifact_location), run_id or model.source_run_id, model_id or address.model_id
            return self.get_model_version_download_uri(address.name, address.version), run_id, model_id
        except (MlflowException, NotImplementedError) as error:
            raise MlflowException(
                f"Unable to fetch model from model URI source artifact location '{source}'. Error: {error}"
            ) from error


def _logged_model(model_id: str) -> LoggedModel:
    """Returns a logged model of the tracking server."""
    from mlflow.tracking.client import MlflowClient

    return MlflowClient().get_logged_model(model_id)
