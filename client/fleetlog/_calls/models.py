"""Registered models and their versions: which there are, and their files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from fleetlog_core.errors import FailedPrecondition, NotFound, shown
from fleetlog_proto.v1 import (
    model_version_pb2,
    registered_model_pb2,
    registry_event_pb2,
)

from fleetlog._calls.artifacts import ArtifactCalls
from fleetlog._calls.base import PAGE
from fleetlog._calls.model_history import ModelHistoryCalls
from fleetlog._calls.selection import SelectionCalls
from fleetlog._transport.answers import bad_answer, check_same, pages, understood
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf, as_of_message
from fleetlog._values.model_uris import model_address
from fleetlog._views.models import (
    STAGE_NUMBERS,
    Model,
    ModelSelection,
    ModelVersion,
    Stage,
)
from fleetlog._views.selection import Selection

_UINT = (1 << 63) - 1


class ModelCalls(ModelHistoryCalls, SelectionCalls, ArtifactCalls):
    """Reads of registered models. Names and numbers that are not there: NotFound.

    `as_of`: as it was then, a time or how long ago ("2h"), as in search_runs.
    """

    def models(
        self, name_contains: str = "", *, tags: Mapping[str, object] | None = None, as_of: AsOf | None = None
    ) -> list[Model]:
        """Models by name: all, or those whose names contain a text and that have all of the tags.

        Args:
            name_contains: Text that names contain, in any case.
            tags: Tags that models have, each with this value.
            as_of: When, as in search_runs; None = now.

        Examples:
            >>> made = client.create_model("tiny-lm", exist_ok=True)
            >>> [model.name for model in client.models("tiny-lm")]
            ['tiny-lm']

        """
        request = registered_model_pb2.SearchRegisteredModelsRequest(
            namespace=self.namespace, name_contains=arguments.one_text("name_contains", name_contains),
            tags=arguments.model_tags(tags), page_size=PAGE, at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )  # fmt: skip
        connection, found = self._connection, list[Model]()
        for page in pages(connection, connection.registry_query.SearchRegisteredModels, request, self.timeout):
            with understood(self.target, "a model"):
                found += map(Model.of, page.models)
        return found

    def get_model(self, name: str, *, as_of: AsOf | None = None) -> Model:
        """One model, with the latest version of each stage.

        Args:
            name: Name of the model.
            as_of: When, as in search_runs; None = now.

        Raises:
            NotFound: There is no such model.

        Examples:
            >>> made = client.create_model("tiny-lm", exist_ok=True)
            >>> client.get_model("tiny-lm").name
            'tiny-lm'

        """
        request = registered_model_pb2.GetRegisteredModelRequest(
            namespace=self.namespace, name=arguments.one_text("name", name), at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )  # fmt: skip
        found = self._connection.call(self._connection.registry_query.GetRegisteredModel, request, self.timeout).model
        check_same(self.target, "the model", found.name, request.name)
        with understood(self.target, "a model"):
            return Model.of(found)

    def versions(
        self,
        name: str = "",
        *,
        run_id: arguments.AnyRun | None = None,
        stage: Stage | None = None,
        tags: Mapping[str, object] | None = None,
        as_of: AsOf | None = None,
    ) -> list[ModelVersion]:
        """Versions of a model, or of all models, those changed last first.

        Args:
            name: Name of the model; "" = all models.
            run_id: Run that they were made of.
            stage: "None", "Staging", "Production" or "Archived".
            tags: Tags that versions have, each with this value.
            as_of: When, as in search_runs; None = now.

        Examples:
            >>> made = client.register_model("of-run", run=run, artifact_path="ckpt")
            >>> client.versions("of-run")[0].artifact_path
            'ckpt'

        """
        request = model_version_pb2.SearchModelVersionsRequest(
            namespace=self.namespace, name=arguments.one_text("name", name),
            run_ids=[] if run_id is None else [arguments.run_id(run_id)],
            stages=[] if stage is None else [stage_of(stage)],
            tags=arguments.model_tags(tags), page_size=PAGE, at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )  # fmt: skip
        connection, found = self._connection, list[ModelVersion]()
        for page in pages(connection, connection.registry_query.SearchModelVersions, request, self.timeout):
            with understood(self.target, "a version"):
                found += map(ModelVersion.of, page.versions)
        return found

    def get_version(
        self,
        name: str,
        version: int | None = None,
        *,
        alias: str | None = None,
        stage: Stage | None = None,
        as_of: AsOf | None = None,
    ) -> ModelVersion:
        """One version: by number, by alias, or the latest of a stage; else the latest of all.

        Args:
            name: Name of the model.
            version: Number of the version, from 1.
            alias: Alias that names it.
            stage: "None", "Staging", "Production" or "Archived".
            as_of: When, as in search_runs; None = now.

        Raises:
            NotFound: There is no such model or version.

        Examples:
            >>> made = client.register_model("read-lm", run=run, artifact_path="ckpt", aliases="champion")
            >>> client.get_version("read-lm", alias="champion").stage
            'None'

        """
        request = model_version_pb2.GetModelVersionRequest(
            namespace=self.namespace, name=arguments.one_text("name", name), at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )  # fmt: skip
        if sum(one is not None for one in (version, alias, stage)) > 1:
            raise arguments.invalid("version", version, "alone: give a version, an alias or a stage")
        if version is not None:
            request.version = number_of(version)
        elif alias is not None:
            request.alias = arguments.one_text("alias", alias)
        elif stage is not None:
            request.stage = stage_of(stage)
        found = self._connection.call(self._connection.registry_query.GetModelVersion, request, self.timeout).version
        check_same(self.target, "the model", found.name, request.name)
        with understood(self.target, "a version"):
            return ModelVersion.of(found)

    def load_path(self, uri: str, to: str | Path | None = None) -> Path:
        """Download the files of a version, each verified by its digest.

        Args:
            uri: models:/NAME@ALIAS, models:/NAME/3, models:/NAME/Production or models:/NAME/latest.
            to: Folder for the files; None = a new one below the system's folder for temporary files, which is the
                caller's to remove.

        Returns:
            Path of the folder of the version's files, or of its one file.

        Raises:
            NotFound: There is no such version, or it has no files.
            FailedPrecondition: SOURCE_ELSEWHERE: its files are not kept by fleetlog.

        Examples:
            >>> made = client.register_model("loaded-lm", run=run, artifact_path="ckpt", aliases="champion")
            >>> sorted(file.name for file in client.load_path("models:/loaded-lm@champion", "loaded").iterdir())
            ['model.pt']

        """
        address = model_address(arguments.one_text("uri", uri))
        version = self.get_version(
            address.name,
            address.version or None,
            alias=address.alias or None,
            stage=None if not address.stage else _known_stage(address.stage),
        )
        if not version.run_id:
            raise FailedPrecondition(
                "SOURCE_ELSEWHERE",
                f"uri: the files of version {version.version} of {shown(version.name)} are not of a run, but at"
                f" {shown(version.storage_location or version.source)}; load them from there",
            )
        files = self.list_artifacts(version.run_id, version.artifact_path)
        if not files:
            raise NotFound(
                "ARTIFACT_NOT_FOUND",
                f"uri: run {version.run_id} has no artifact at {shown(version.artifact_path)}",
            )
        folder = Path(tempfile.mkdtemp(prefix="fleetlog-model-") if to is None else to)
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            self.download_artifact(version.run_id, file.path, folder)
        return folder / version.artifact_path if version.artifact_path else folder

    def select_again(self, selection: ModelSelection) -> Selection:
        """Repeat the choice that a version was made by, of the runs as they were then.

        Args:
            selection: `selection` of a version that was registered with one.

        Examples:
            >>> chosen = client.select(minimize="metrics.val_loss", experiments="speedrun")
            >>> made = client.register_model("chosen-lm", selection=chosen, artifact_path="ckpt")
            >>> client.select_again(made.selection).best.run.name == chosen.best.run.name
            True

        """
        with understood(self.target, "a selection"):
            kept = registry_event_pb2.ModelSelection.FromString(selection.message)
        if not kept.HasField("position"):
            raise bad_answer(self.target, "a selection without a position")
        request = kept.request
        request.scope.namespace = self.namespace
        if not request.scope.HasField("as_of"):
            request.scope.as_of.position.CopyFrom(kept.position)
        return self._selected(request)


def stage_of(stage: object, name: str = "stage") -> registry_event_pb2.ModelStage.ValueType:
    """The number of a stage. InvalidArgument names the stages."""
    return STAGE_NUMBERS[arguments.choice(name, stage, STAGE_NUMBERS)]


def number_of(version: object, name: str = "version") -> int:
    """The number of a version. InvalidArgument."""
    return arguments.count(name, version, 1, _UINT)


def _known_stage(stage: str) -> Stage:
    known: tuple[Stage, ...] = ("None", "Staging", "Production", "Archived")
    return next(one for one in known if one == stage)
