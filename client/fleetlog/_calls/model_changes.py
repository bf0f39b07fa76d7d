"""Changes of registered models. Each is one decision, made in the order of the server's log; who asks is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import position_pb2, registered_model_pb2, registry_event_pb2

from fleetlog._calls.models import ModelCalls, stage_of
from fleetlog._calls.runs import RunCalls
from fleetlog._transport.answers import understood
from fleetlog._values import arguments
from fleetlog._values.user import current_user
from fleetlog._views.models import Model, Stage


class _Answer(Protocol):
    """An answer to a change."""

    @property
    def position(self) -> position_pb2.Position:
        """Where the decision is in the log."""
        ...


Answer = TypeVar("Answer", bound=_Answer)


class ModelChangeCalls(ModelCalls, RunCalls):
    """Changes of registered models. What is not there: NotFound. `user`: who asks; None = the user of the process."""

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
        """A model without versions.

        Args:
            name: Name of the model.
            description: Text in Markdown, up to 16,384 bytes.
            tags: Tags to set: texts by key.
            approval_stages: Stages that versions come into by an approval alone; see request_transition.
            approval_aliases: Aliases that are moved by an approval alone; see request_alias.
            exist_ok: Whether a model that is there will do.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            AlreadyExists: The name is taken, and `exist_ok` was not given.

        Examples:
            >>> client.create_model("guarded-lm", approval_stages="Production").name
            'guarded-lm'

        """
        request = registered_model_pb2.CreateRegisteredModelRequest(
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
        """Change what is given.

        Args:
            name: Name of the model.
            description: Text in Markdown, up to 16,384 bytes; None = as it is.
            tags: Tags to set: texts by key.
            deleted_tags: Keys of tags to delete.
            approval_stages: Stages that demand an approval; None = as it is, unless `approval_aliases` is given:
                both are replaced together.
            approval_aliases: Aliases that demand an approval; None likewise.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model.

        Examples:
            >>> made = client.create_model("tiny-lm", exist_ok=True)
            >>> client.update_model("tiny-lm", description="one layer").description
            'one layer'

        """
        request = registered_model_pb2.UpdateRegisteredModelRequest(
            name=arguments.one_text("name", name),
            description=None if description is None else arguments.one_text("description", description),
            tags=arguments.model_tags(tags), deleted_tags=arguments.texts("deleted_tags", deleted_tags),
        )  # fmt: skip
        if approval_stages is not None or approval_aliases is not None:
            request.approval_policy.CopyFrom(_policy(approval_stages or (), approval_aliases or ()))
        return self._model(self._changed(self._connection.registry.UpdateRegisteredModel, request, user))

    def rename_model(self, name: str, new_name: str, *, user: str | None = None) -> Model:
        """Rename a model with its versions, aliases and history.

        Args:
            name: Name of the model.
            new_name: Name that it gets.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model.
            AlreadyExists: The new name is taken.

        Examples:
            >>> made = client.create_model("old-name")
            >>> client.rename_model("old-name", "new-name").name
            'new-name'

        """
        request = registered_model_pb2.RenameRegisteredModelRequest(
            name=arguments.one_text("name", name), new_name=arguments.one_text("new_name", new_name)
        )
        return self._model(self._changed(self._connection.registry.RenameRegisteredModel, request, user))

    def delete_model(self, name: str, *, user: str | None = None) -> Model:
        """Delete a model with its versions and aliases. `model_history` of what comes back can still be asked for.

        Args:
            name: Name of the model.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model.

        Examples:
            >>> made = client.create_model("gone")
            >>> client.delete_model("gone").name
            'gone'

        """
        request = registered_model_pb2.DeleteRegisteredModelRequest(name=arguments.one_text("name", name))
        return self._model(self._changed(self._connection.registry.DeleteRegisteredModel, request, user))

    def _changed(self, method: Callable[..., Answer], request: Any, user: str | None) -> Answer:
        request.namespace, request.request_id = self.namespace, new_random_id()
        request.user = current_user() if user is None else arguments.one_text("user", user)
        answer = self._connection.call(method, request)
        self._connection.saw(answer.position)
        return answer

    def _model(self, answer: Any) -> Model:
        with understood(self.target, "a model"):
            return Model.of(answer.model)


def _policy(stages: Any, aliases: str | Sequence[str]) -> registry_event_pb2.ApprovalPolicy:
    names = arguments.texts("approval_stages", stages)
    return registry_event_pb2.ApprovalPolicy(
        stages=[stage_of(name, f"approval_stages[{place}]") for place, name in enumerate(names)],
        aliases=arguments.texts("approval_aliases", aliases),
    )
