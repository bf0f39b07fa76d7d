"""Registered models as they were read: models, versions, approvals, comments, and what happened to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fleetlog_core.rules.registry import STAGES
from fleetlog_proto.v1 import (
    model_approval_pb2,
    model_history_pb2,
    model_version_pb2,
    registered_model_pb2,
    registry_event_pb2,
)

from fleetlog._views.views import utc

Stage = Literal["None", "Staging", "Production", "Archived"]
STAGE_NUMBERS: dict[str, registry_event_pb2.ModelStage.ValueType] = {
    "None": registry_event_pb2.MODEL_STAGE_NONE,
    "Staging": registry_event_pb2.MODEL_STAGE_STAGING,
    "Production": registry_event_pb2.MODEL_STAGE_PRODUCTION,
    "Archived": registry_event_pb2.MODEL_STAGE_ARCHIVED,
}
Decision = Literal["pending", "approved", "rejected"]
DECISIONS: dict[str, model_approval_pb2.ApprovalState.ValueType] = {
    "pending": model_approval_pb2.APPROVAL_STATE_PENDING,
    "approved": model_approval_pb2.APPROVAL_STATE_APPROVED,
    "rejected": model_approval_pb2.APPROVAL_STATE_REJECTED,
}


@dataclass(frozen=True)
class ModelDataset:
    """A version of a dataset that a model was made of."""

    name: str
    digest: str
    context: str


@dataclass(frozen=True)
class ModelSelection:
    """The choice that a version was made by; `Client.select_again` repeats it."""

    filter: str
    objectives: tuple[str, ...]
    message: bytes = field(repr=False)
    """What was asked and the position of the answer, as fleetlog.v1.ModelSelection."""


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model. What is not known is empty."""

    name: str
    """Name of the model."""
    version: int
    stage: str
    """None, Staging, Production or Archived."""
    aliases: tuple[str, ...]
    source: str
    storage_location: str
    description: str
    tags: dict[str, str]
    run_id: str
    artifact_path: str
    """File or folder among the run's artifacts that is the model; empty: all of them."""
    git_commit: str
    datasets: tuple[ModelDataset, ...]
    selection: ModelSelection | None
    created: datetime
    updated: datetime
    created_by: str

    @classmethod
    def of(cls, message: model_version_pb2.ModelVersion) -> ModelVersion:
        """From the message."""
        lineage = message.lineage
        return cls(
            name=message.name, version=message.version, stage=_stage(message.stage), aliases=tuple(message.aliases),
            source=message.source, storage_location=message.storage_location, description=message.description,
            tags=dict(message.tags), run_id=lineage.run_id, artifact_path=lineage.artifact_path,
            git_commit=lineage.git_commit,
            datasets=tuple(ModelDataset(one.name, one.digest, one.context) for one in lineage.datasets),
            selection=_selection(lineage.selection) if lineage.HasField("selection") else None,
            created=utc(message.create_time_millis), updated=utc(message.update_time_millis),
            created_by=message.create_user,
        )  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A registered model."""

    id: int
    """Stays through renames."""
    name: str
    description: str
    tags: dict[str, str]
    aliases: dict[str, int]
    """Alias to the number of the version that it names."""
    approval_stages: tuple[str, ...]
    """Stages that a version comes into by an approval alone."""
    approval_aliases: tuple[str, ...]
    """Aliases that move by an approval alone."""
    last_version: int
    """Highest number that a version ever had; 0 = none."""
    latest: tuple[ModelVersion, ...]
    """The version with the highest number of each stage. Empty in answers to changes."""
    created: datetime
    updated: datetime
    created_by: str

    @classmethod
    def of(cls, message: registered_model_pb2.RegisteredModel) -> Model:
        """From the message."""
        policy = message.approval_policy
        return cls(
            id=message.model_id, name=message.name, description=message.description, tags=dict(message.tags),
            aliases=dict(sorted(message.aliases.items())),
            approval_stages=tuple(map(_stage, policy.stages)), approval_aliases=tuple(policy.aliases),
            last_version=message.last_version, latest=tuple(map(ModelVersion.of, message.latest_versions)),
            created=utc(message.create_time_millis), updated=utc(message.update_time_millis),
            created_by=message.create_user,
        )  # fmt: skip


@dataclass(frozen=True)
class Approval:
    """A change that was asked for, and what was decided."""

    number: int
    """From 1, by model."""
    version: int
    stage: str
    """That the version is to move to; empty when it is about an alias."""
    alias: str
    """That is to name the version; empty when it is about a stage."""
    archive_existing: bool
    state: str
    """pending, approved or rejected."""
    user: str
    comment: str
    created: datetime
    decided_by: str
    decision_comment: str
    decided: datetime | None
    """None while it is pending."""

    @classmethod
    def of(cls, message: model_approval_pb2.Approval) -> Approval:
        """From the message."""
        by_alias = message.WhichOneof("change") == "alias"
        states = {number: word for word, number in DECISIONS.items()}
        decided = message.decision_time_millis
        return cls(
            number=message.number, version=message.version, stage="" if by_alias else _stage(message.stage),
            alias=message.alias, archive_existing=message.archive_existing,
            state=states.get(message.state, f"state {message.state}"), user=message.user, comment=message.comment,
            created=utc(message.create_time_millis), decided_by=message.decision_user,
            decision_comment=message.decision_comment, decided=utc(decided) if decided else None,
        )  # fmt: skip


@dataclass(frozen=True)
class ModelComment:
    """What somebody said of a model, or of a version."""

    version: int
    """0 = of the model."""
    user: str
    text: str
    time: datetime

    @classmethod
    def of(cls, message: model_history_pb2.ModelComment) -> ModelComment:
        """From the message."""
        return cls(message.version, message.user, message.text, utc(message.time_millis))


@dataclass(frozen=True)
class ModelEvent:
    """One thing that happened to a model or a version."""

    time: datetime
    user: str
    action: str
    """Such as version_transitioned, alias_set, commented; see fleetlog.v1.ModelAction."""
    version: int
    """0 = the model itself."""
    subject: str
    """What changed: an alias, "stage", "name", "description", tags."""
    old: str
    new: str
    comment: str
    approval: int
    """Number of the approval by which it happened, or which it is about; 0 = none."""
    request_id: str

    @classmethod
    def of(cls, message: model_history_pb2.ModelHistoryEntry) -> ModelEvent:
        """From the message."""
        names = {number: name for name, number in model_history_pb2.ModelAction.items()}
        action = names.get(message.action, str(message.action)).removeprefix("MODEL_ACTION_").lower()
        return cls(
            utc(message.time_millis), message.user, action, message.version, message.subject, message.old_value,
            message.new_value, message.comment, message.approval, message.request_id,
        )  # fmt: skip


def _stage(number: int) -> str:
    return STAGES.get(number, str(number))


def _selection(message: registry_event_pb2.ModelSelection) -> ModelSelection:
    return ModelSelection(
        message.request.scope.filter,
        tuple(one.value for one in message.request.objectives),
        message.SerializeToString(),
    )
