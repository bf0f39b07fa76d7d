"""Changes of registered models. Each is one decision, made in the order of the server's log; who asks is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import position_pb2, registry_event_pb2, registry_pb2

from fleetlog._calls.models import ModelCalls, number_of, stage_of
from fleetlog._calls.runs import RunCalls
from fleetlog._transport.answers import check_same, understood
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog._values.model_uris import run_address
from fleetlog._values.user import current_user
from fleetlog._views.models import Approval, Model, ModelComment, ModelVersion, Stage
from fleetlog._views.selection import Selection
from fleetlog._views.views import RunView

GIT_TAGS = ("git_commit", "git.commit", "mlflow.source.git.commit")
"""Tags of a run that may say the commit of its code."""


class _Answer(Protocol):
    """An answer to a change."""

    @property
    def position(self) -> position_pb2.Position:
        """Where the decision is in the log."""
        ...


Answer = TypeVar("Answer", bound=_Answer)


class ModelChangeCalls(ModelCalls, RunCalls):
    """Changes of registered models. What is not there: NotFound. `user`: who asks; left out, the user of the process.

    What a model demands an approval for: FailedPrecondition APPROVAL_REQUIRED.
    """

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
        """The next version of a model, which is made when it is not there. With `aliases` in the same decision.

        client.register_model("gpt2", run=run, artifact_path="model", aliases="champion")
        client.register_model("gpt2", selection=client.select(minimize="metrics.val_loss"), artifact_path="model")

        It is of a `run` (and of what is below `artifact_path` of its artifacts), or of a `source`: "runs:/RUN_ID/PATH",
        or any URI, which is kept and not looked at. Of a run its datasets are kept, and the commit of its tag
        git_commit. `selection`: the choice is kept with the version, to be repeated; without a run its best run is
        taken. InvalidArgument; NotFound: there is no such run.
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
        request = registry_pb2.CreateModelVersionRequest(
            name=arguments.one_text("name", name), create_model=True, source=source or whole,
            description=arguments.one_text("description", description), tags=arguments.model_tags(tags),
            lineage=lineage, aliases=arguments.texts("aliases", aliases),
        )  # fmt: skip
        return self._version(self._changed(self._connection.registry.CreateModelVersion, request, user), name)

    def create_model(
        self,
        name: str,
        *,
        description: str = "",
        tags: Mapping[str, object] | None = None,
        approval_stages: Stage | Sequence[Stage] = (),
        approval_aliases: str | Sequence[str] = (),
        exist_ok: bool = False,
        user: str | None = None,
    ) -> Model:
        """A model without versions. AlreadyExists unless `exist_ok`.

        `approval_stages`, `approval_aliases`: versions come into these stages, and these aliases move, by an approval
        alone; see request_transition and request_alias.
        """
        request = registry_pb2.CreateRegisteredModelRequest(
            name=arguments.one_text("name", name), description=arguments.one_text("description", description),
            tags=arguments.model_tags(tags), exist_ok=arguments.flag("exist_ok", exist_ok),
            approval_policy=_policy(approval_stages, approval_aliases),
        )  # fmt: skip
        return self._model(self._changed(self._connection.registry.CreateRegisteredModel, request, user))

    def update_model(
        self,
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        deleted_tags: str | Sequence[str] = (),
        approval_stages: Stage | Sequence[Stage] | None = None,
        approval_aliases: str | Sequence[str] | None = None,
        user: str | None = None,
    ) -> Model:
        """Change what is given. What demands an approval is replaced as a whole: stages and aliases together."""
        request = registry_pb2.UpdateRegisteredModelRequest(
            name=arguments.one_text("name", name),
            description=None if description is None else arguments.one_text("description", description),
            tags=arguments.model_tags(tags), deleted_tags=arguments.texts("deleted_tags", deleted_tags),
        )  # fmt: skip
        if approval_stages is not None or approval_aliases is not None:
            request.approval_policy.CopyFrom(_policy(approval_stages or (), approval_aliases or ()))
        return self._model(self._changed(self._connection.registry.UpdateRegisteredModel, request, user))

    def rename_model(self, name: str, new_name: str, *, user: str | None = None) -> Model:
        """Rename a model with its versions, aliases and history. AlreadyExists."""
        request = registry_pb2.RenameRegisteredModelRequest(
            name=arguments.one_text("name", name), new_name=arguments.one_text("new_name", new_name)
        )
        return self._model(self._changed(self._connection.registry.RenameRegisteredModel, request, user))

    def delete_model(self, name: str, *, user: str | None = None) -> Model:
        """Delete a model with its versions and aliases. The answer's history can still be asked for."""
        request = registry_pb2.DeleteRegisteredModelRequest(name=arguments.one_text("name", name))
        return self._model(self._changed(self._connection.registry.DeleteRegisteredModel, request, user))

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
        """Change what is given."""
        request = registry_pb2.UpdateModelVersionRequest(
            name=arguments.one_text("name", name), version=number_of(version),
            description=None if description is None else arguments.one_text("description", description),
            tags=arguments.model_tags(tags), deleted_tags=arguments.texts("deleted_tags", deleted_tags),
        )  # fmt: skip
        return self._version(self._changed(self._connection.registry.UpdateModelVersion, request, user), name)

    def transition(
        self, name: str, version: int, stage: Stage, *, archive_existing: bool = False, user: str | None = None
    ) -> ModelVersion:
        """Move a version to a stage. `archive_existing`: the others of the stage become Archived in the same decision.

        It goes with Staging and Production.
        """
        request = registry_pb2.TransitionModelVersionRequest(
            name=arguments.one_text("name", name), version=number_of(version), stage=stage_of(stage),
            archive_existing=arguments.flag("archive_existing", archive_existing),
        )  # fmt: skip
        return self._version(self._changed(self._connection.registry.TransitionModelVersion, request, user), name)

    def delete_version(self, name: str, version: int, *, user: str | None = None) -> ModelVersion:
        """Delete a version and the aliases that name it. Its number is not given again."""
        request = registry_pb2.DeleteModelVersionRequest(
            name=arguments.one_text("name", name), version=number_of(version)
        )
        return self._version(self._changed(self._connection.registry.DeleteModelVersion, request, user), name)

    def set_alias(self, name: str, alias: str, version: int, *, user: str | None = None) -> Model:
        """Let an alias name a version. "latest" and "v3" are reserved."""
        request = registry_pb2.SetAliasRequest(
            name=arguments.one_text("name", name), alias=arguments.one_text("alias", alias), version=number_of(version)
        )
        return self._model(self._changed(self._connection.registry.SetAlias, request, user))

    def delete_alias(self, name: str, alias: str, *, user: str | None = None) -> Model:
        """Remove an alias."""
        request = registry_pb2.DeleteAliasRequest(
            name=arguments.one_text("name", name), alias=arguments.one_text("alias", alias)
        )
        return self._model(self._changed(self._connection.registry.DeleteAlias, request, user))

    def add_model_comment(
        self, name: str, text: str, *, version: int | None = None, user: str | None = None
    ) -> ModelComment:
        """Comment on a model, or on one of its versions."""
        request = registry_pb2.AddCommentRequest(
            name=arguments.one_text("name", name), text=arguments.one_text("text", text),
            version=0 if version is None else number_of(version),
        )  # fmt: skip
        return ModelComment.of(self._changed(self._connection.registry.AddComment, request, user).comment)

    def request_transition(
        self,
        name: str,
        version: int,
        stage: Stage,
        *,
        archive_existing: bool = False,
        comment: str = "",
        user: str | None = None,
    ) -> Approval:
        """Ask that a version moves to a stage. It does when somebody approves it."""
        request = registry_pb2.RequestApprovalRequest(
            name=arguments.one_text("name", name), version=number_of(version), stage=stage_of(stage),
            archive_existing=arguments.flag("archive_existing", archive_existing),
            comment=arguments.one_text("comment", comment),
        )  # fmt: skip
        return Approval.of(self._changed(self._connection.registry.RequestApproval, request, user).approval)

    def request_alias(
        self, name: str, alias: str, version: int, *, comment: str = "", user: str | None = None
    ) -> Approval:
        """Ask that an alias names a version. It does when somebody approves it."""
        request = registry_pb2.RequestApprovalRequest(
            name=arguments.one_text("name", name), version=number_of(version),
            alias=arguments.one_text("alias", alias), comment=arguments.one_text("comment", comment),
        )  # fmt: skip
        return Approval.of(self._changed(self._connection.registry.RequestApproval, request, user).approval)

    def approve(self, name: str, number: int, *, comment: str = "", user: str | None = None) -> Approval:
        """Approve what was asked for: it is done with this. FailedPrecondition APPROVAL_DECIDED: somebody was first."""
        return self._decide(name, number, True, comment, user)

    def reject(self, name: str, number: int, *, comment: str = "", user: str | None = None) -> Approval:
        """Reject what was asked for. FailedPrecondition APPROVAL_DECIDED: somebody was first."""
        return self._decide(name, number, False, comment, user)

    def _decide(self, name: str, number: int, approved: bool, comment: str, user: str | None) -> Approval:
        request = registry_pb2.DecideApprovalRequest(
            name=arguments.one_text("name", name), number=number_of(number, "number"), approved=approved,
            comment=arguments.one_text("comment", comment),
        )  # fmt: skip
        return Approval.of(self._changed(self._connection.registry.DecideApproval, request, user).approval)

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

    def _changed(self, method: Callable[..., Answer], request: Any, user: str | None) -> Answer:
        request.namespace, request.request_id = self.namespace, new_random_id()
        request.user = current_user() if user is None else arguments.one_text("user", user)
        answer = self._connection.call(method, request)
        self._connection.saw(answer.position)
        return answer

    def _model(self, answer: Any) -> Model:
        with understood(self.target, "a model"):
            return Model.of(answer.model)

    def _version(self, answer: Any, name: str) -> ModelVersion:
        check_same(self.target, "the model", answer.version.name, name)
        with understood(self.target, "a version"):
            return ModelVersion.of(answer.version)


def _policy(stages: Any, aliases: str | Sequence[str]) -> registry_event_pb2.ApprovalPolicy:
    names = arguments.texts("approval_stages", stages)
    return registry_event_pb2.ApprovalPolicy(
        stages=[stage_of(name, f"approval_stages[{place}]") for place, name in enumerate(names)],
        aliases=arguments.texts("approval_aliases", aliases),
    )
