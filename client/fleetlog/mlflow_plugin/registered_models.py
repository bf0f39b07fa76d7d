"""Registered models with their tags and aliases, as MLflow's registry store has them. Prompts are models with a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleetlog_proto.v1 import model_version_pb2, registered_model_pb2
from mlflow.entities.model_registry import ModelVersion, RegisteredModel, RegisteredModelTag
from mlflow.entities.model_registry.model_version_stages import ALL_STAGES, get_canonical_stage
from mlflow.prompt.registry_utils import handle_resource_already_exist_error, has_prompt_tag
from mlflow.utils.validation import (
    _validate_model_alias_name,
    _validate_model_alias_name_reserved,
    _validate_model_name,
    _validate_model_renaming,
    _validate_model_version,
    _validate_registered_model_tag,
    _validate_tag_name,
)

from fleetlog.errors import AlreadyExists, NotFound
from fleetlog.mlflow_plugin.errors import exists, invalid, missing, translated
from fleetlog.mlflow_plugin.registry_base import RegistryBase, number_of, of_model, of_version
from fleetlog.mlflow_plugin.registry_entities import model_entity, tag_texts, version_entity


class RegisteredModelStore(RegistryBase):
    """Models of the namespace."""

    def create_registered_model(
        self,
        name: str,
        tags: Sequence[RegisteredModelTag] | None = None,
        description: str | None = None,
        deployment_job_id: Any = None,
    ) -> RegisteredModel:
        """Returns the new model. `deployment_job_id`: not kept, nothing of MLflow's open source sets it."""
        _validate_model_name(name)
        for tag in tags or ():
            _validate_registered_model_tag(tag.key, tag.value)
        request = registered_model_pb2.CreateRegisteredModelRequest(
            name=name, description=description or "", tags=tag_texts(tags)
        )
        with translated():
            try:
                answer = self.change(self.connection.registry.CreateRegisteredModel, request)
            except AlreadyExists:
                taken = self._model(name)
                # Raises, and says which of a model and a prompt has the name.
                handle_resource_already_exist_error(name, has_prompt_tag(dict(taken.tags)), has_prompt_tag(tags))
                raise
        return model_entity(answer.model, self.scheme)

    def update_registered_model(
        self, name: str, description: str | None, deployment_job_id: Any = None
    ) -> RegisteredModel:
        """Returns the model with another description. `deployment_job_id`: not kept."""
        _validate_model_name(name)
        request = registered_model_pb2.UpdateRegisteredModelRequest(name=name, description=description or "")
        with of_model(name):
            answer = self.change(self.connection.registry.UpdateRegisteredModel, request)
        return model_entity(answer.model, self.scheme)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Returns the model under another name; versions, tags and aliases go with it."""
        _validate_model_renaming(new_name)
        _validate_model_name(name)
        request = registered_model_pb2.RenameRegisteredModelRequest(name=name, new_name=new_name)
        with of_model(name):
            try:
                answer = self.change(self.connection.registry.RenameRegisteredModel, request)
            except AlreadyExists:
                raise exists(f"Registered Model (name={new_name}) already exists.") from None
        return model_entity(answer.model, self.scheme)

    def delete_registered_model(self, name: str) -> None:
        """Delete a model with its versions and aliases."""
        _validate_model_name(name)
        with of_model(name):
            self.change(
                self.connection.registry.DeleteRegisteredModel,
                registered_model_pb2.DeleteRegisteredModelRequest(name=name),
            )

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Returns a model."""
        _validate_model_name(name)
        with of_model(name):
            return model_entity(self._model(name), self.scheme)

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """Returns the version with the highest number of each stage."""
        wanted = {get_canonical_stage(stage) for stage in stages or ALL_STAGES}
        _validate_model_name(name)
        with of_model(name):
            model = self._model(name)
        versions = [version_entity(version, self.scheme) for version in model.latest_versions]
        return [version for version in versions if version.current_stage in wanted]

    def set_registered_model_tag(self, name: str, tag: RegisteredModelTag) -> None:
        """Set a tag of a model."""
        _validate_model_name(name)
        _validate_registered_model_tag(tag.key, tag.value)
        request = registered_model_pb2.UpdateRegisteredModelRequest(name=name, tags=tag_texts([tag]))
        with of_model(name):
            self.change(self.connection.registry.UpdateRegisteredModel, request)

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a tag of a model, if it is there."""
        _validate_model_name(name)
        _validate_tag_name(key)
        request = registered_model_pb2.UpdateRegisteredModelRequest(name=name, deleted_tags=[key])
        with of_model(name):
            self.change(self.connection.registry.UpdateRegisteredModel, request)

    def set_registered_model_alias(self, name: str, alias: str, version: str | int) -> None:
        """Let an alias name a version."""
        _validate_model_name(name)
        _validate_model_alias_name(alias)
        _validate_model_alias_name_reserved(alias)
        _validate_model_version(version)
        request = registered_model_pb2.SetAliasRequest(name=name, alias=alias, version=number_of(name, version))
        with of_version(name, version):
            self.change(self.connection.registry.SetAlias, request)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove an alias, if it is there."""
        _validate_model_name(name)
        _validate_model_alias_name(alias)
        request = registered_model_pb2.DeleteAliasRequest(name=name, alias=alias)
        with of_model(name):
            try:
                self.change(self.connection.registry.DeleteAlias, request)
            except NotFound as error:
                if error.reason != "ALIAS_NOT_FOUND":
                    raise

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Returns the version that an alias names; "latest" means the highest number."""
        _validate_model_name(name)
        _validate_model_alias_name(alias)
        request = model_version_pb2.GetModelVersionRequest(name=name)
        if alias.lower() != "latest":
            request.alias = alias
        with of_model(name):
            try:
                answer = self.read(self.connection.registry_query.GetModelVersion, request)
            except NotFound as error:
                if error.reason == "ALIAS_NOT_FOUND":
                    raise invalid(f"Registered model alias {alias} not found.") from None
                if error.reason == "VERSION_NOT_FOUND":
                    raise missing(f"Latest version not found for model {name}.") from None
                raise
        return version_entity(answer.version, self.scheme)

    def _model(self, name: str) -> registered_model_pb2.RegisteredModel:
        request = registered_model_pb2.GetRegisteredModelRequest(name=name)
        return self.read(self.connection.registry_query.GetRegisteredModel, request).model
