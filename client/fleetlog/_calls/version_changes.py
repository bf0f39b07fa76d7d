"""Changes of versions of models, and of the aliases that name them. Each is one decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleetlog_core.errors import FailedPrecondition
from fleetlog_proto.v1 import model_version_pb2, registered_model_pb2, registry_event_pb2

from fleetlog._calls.model_changes import ModelChangeCalls
from fleetlog._calls.models import number_of, stage_of
from fleetlog._transport.answers import check_same, understood
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog._values.model_uris import run_address
from fleetlog._views.models import Model, ModelVersion, Stage
from fleetlog._views.selection import Selection
from fleetlog._views.views import RunView

GIT_TAGS = ("git_commit", "git.commit", "mlflow.source.git.commit")
"""Tags of a run that may say the commit of its code."""


class VersionChangeCalls(ModelChangeCalls):
    """Changes of versions. What a model demands an approval for: FailedPrecondition APPROVAL_REQUIRED."""

    def register_model(
        self,
        name: str,
        *,
        run: AnyRun | None = None,
        artifact_path: str = "",
        source: str = "",
        selection: Selection | None = None,
        description: str = "",
        tags: Mapping[str, object] | None = None,
        aliases: str | Sequence[str] = (),
        git_commit: str | None = None,
        user: str | None = None,
    ) -> ModelVersion:
        """The next version of a model, which is made when it is not there.

        Args:
            name: Name of the model.
            run: Run that it is of: an id, a Run or a RunView. Its datasets are kept with the version, and the
                commit of its tag git_commit.
            artifact_path: Folder or file of the run's artifacts.
            source: Instead of a run "runs:/RUN_ID/PATH", or any URI, which is kept and not looked at.
            selection: Choice that is kept with the version, to be repeated; without a run its best run is taken.
            description: Text in Markdown, up to 16,384 bytes.
            tags: Tags to set: texts by key.
            aliases: Aliases that name this version from now on, in the same decision.
            git_commit: Commit of the code; None = by the run's tag.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            InvalidArgument: An argument can't be meant.
            NotFound: There is no such run.
            FailedPrecondition: APPROVAL_REQUIRED: the model demands an approval for it.

        Examples:
            >>> client.register_model("gpt2", run=run, artifact_path="ckpt", aliases="champion").version
            1

        """
        of_run, of_path = self._chosen_run(run, source, selection)
        path = arguments.one_text("artifact_path", artifact_path) or of_path
        lineage = registry_event_pb2.ModelLineage(artifact_path=path)
        if of_run is not None:
            lineage.run_id = of_run.id
            lineage.git_commit = next((of_run.tags[tag] for tag in GIT_TAGS if tag in of_run.tags), "")
            lineage.datasets.extend(
                registry_event_pb2.ModelDataset(name=one.name, digest=one.digest, context=one.context)
                for one in of_run.datasets
            )
        if git_commit is not None:
            lineage.git_commit = arguments.one_text("git_commit", git_commit)
        if selection is not None:
            lineage.selection.MergeFromString(selection.choice)
        whole = f"runs:/{of_run.id}" + (f"/{path}" if path else "") if of_run is not None else ""
        request = model_version_pb2.CreateModelVersionRequest(
            name=arguments.one_text("name", name), create_model=True, source=source or whole,
            description=arguments.one_text("description", description), tags=arguments.model_tags(tags),
            lineage=lineage, aliases=arguments.texts("aliases", aliases),
        )  # fmt: skip
        return self._version(self._changed(self._connection.registry.CreateModelVersion, request, user), name)

    def update_version(
        self,
        name: str,
        version: int,
        *,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        deleted_tags: str | Sequence[str] = (),
        user: str | None = None,
    ) -> ModelVersion:
        """Change what is given.

        Args:
            name: Name of the model.
            version: Number of the version, from 1.
            description: Text in Markdown, up to 16,384 bytes; None = as it is.
            tags: Tags to set: texts by key.
            deleted_tags: Keys of tags to delete.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or version.

        Examples:
            >>> made = client.register_model("told-lm", run=run, artifact_path="ckpt")
            >>> client.update_version("told-lm", 1, tags={"eval": "passed"}).tags["eval"]
            'passed'

        """
        request = model_version_pb2.UpdateModelVersionRequest(
            name=arguments.one_text("name", name), version=number_of(version),
            description=None if description is None else arguments.one_text("description", description),
            tags=arguments.model_tags(tags), deleted_tags=arguments.texts("deleted_tags", deleted_tags),
        )  # fmt: skip
        return self._version(self._changed(self._connection.registry.UpdateModelVersion, request, user), name)

    def transition(
        self, name: str, version: int, stage: Stage, *, archive_existing: bool = False, user: str | None = None
    ) -> ModelVersion:
        """Move a version to a stage.

        Args:
            name: Name of the model.
            version: Number of the version, from 1.
            stage: "None", "Staging", "Production" or "Archived".
            archive_existing: Whether all others of the stage become Archived in the same decision; with Staging and
                Production alone.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or version.
            FailedPrecondition: APPROVAL_REQUIRED: the model demands an approval for it.

        Examples:
            >>> made = client.register_model("staged-lm", run=run, artifact_path="ckpt")
            >>> client.transition("staged-lm", 1, "Production", archive_existing=True).stage
            'Production'

        """
        request = model_version_pb2.TransitionModelVersionRequest(
            name=arguments.one_text("name", name), version=number_of(version), stage=stage_of(stage),
            archive_existing=arguments.flag("archive_existing", archive_existing),
        )  # fmt: skip
        return self._version(self._changed(self._connection.registry.TransitionModelVersion, request, user), name)

    def delete_version(self, name: str, version: int, *, user: str | None = None) -> ModelVersion:
        """Delete a version and the aliases that name it. Its number is not given again.

        Args:
            name: Name of the model.
            version: Number of the version, from 1.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or version.

        Examples:
            >>> made = client.register_model("short-lived", run=run, artifact_path="ckpt")
            >>> client.delete_version("short-lived", 1).version
            1

        """
        request = model_version_pb2.DeleteModelVersionRequest(
            name=arguments.one_text("name", name), version=number_of(version)
        )
        return self._version(self._changed(self._connection.registry.DeleteModelVersion, request, user), name)

    def set_alias(self, name: str, alias: str, version: int, *, user: str | None = None) -> Model:
        """Let an alias name a version.

        Args:
            name: Name of the model.
            alias: Alias; "latest" and "v" with digits are reserved.
            version: Number of the version, from 1.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or version.
            FailedPrecondition: APPROVAL_REQUIRED: the model demands an approval for it.

        Examples:
            >>> made = client.register_model("aliased-lm", run=run, artifact_path="ckpt")
            >>> client.set_alias("aliased-lm", "champion", 1).aliases
            {'champion': 1}

        """
        request = registered_model_pb2.SetAliasRequest(
            name=arguments.one_text("name", name), alias=arguments.one_text("alias", alias), version=number_of(version)
        )
        return self._model(self._changed(self._connection.registry.SetAlias, request, user))

    def delete_alias(self, name: str, alias: str, *, user: str | None = None) -> Model:
        """Remove an alias.

        Args:
            name: Name of the model.
            alias: Alias to remove.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or alias.
            FailedPrecondition: APPROVAL_REQUIRED: the model demands an approval for it.

        Examples:
            >>> made = client.register_model("bare-lm", run=run, artifact_path="ckpt", aliases="old")
            >>> client.delete_alias("bare-lm", "old").aliases
            {}

        """
        request = registered_model_pb2.DeleteAliasRequest(
            name=arguments.one_text("name", name), alias=arguments.one_text("alias", alias)
        )
        return self._model(self._changed(self._connection.registry.DeleteAlias, request, user))

    def _chosen_run(self, run: AnyRun | None, source: str, selection: Selection | None) -> tuple[RunView | None, str]:
        """The run that a version is of, and a path within its artifacts."""
        if run is None and not source and selection is not None:
            if selection.best is None:
                raise FailedPrecondition(
                    "SELECTION_EMPTY", "selection: it found no run; selection.why() says what put them aside"
                )
            run = selection.best.run
        run_id, path = run_address(arguments.one_text("source", source)) if run is None else ("", "")
        if run is None and not run_id:
            if not source:
                raise arguments.invalid("run", run, "a run: give one, or a source, or a selection")
            return None, ""
        return self.get_run(run_id if run is None else run), path

    def _version(self, answer: Any, name: str) -> ModelVersion:
        check_same(self.target, "the model", answer.version.name, name)
        with understood(self.target, "a version"):
            return ModelVersion.of(answer.version)
