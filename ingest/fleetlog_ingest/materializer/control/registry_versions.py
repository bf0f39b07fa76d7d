"""Intents on versions of models. Pure."""

from __future__ import annotations

from fleetlog_core.registry.states import Kind
from fleetlog_core.rules.registry import stage_name
from fleetlog_proto.v1 import model_history_pb2, registry_event_pb2

from fleetlog_ingest.materializer.control.registry_decision import Decision, Entry
from fleetlog_ingest.materializer.control.registry_models import changed_texts, drop_alias, point_alias


def create_version(decision: Decision, intent: registry_event_pb2.ModelVersionCreated) -> None:
    """Refused MODEL_NOT_FOUND, APPROVAL_REQUIRED, TOO_MANY_ALIASES."""
    if intent.create_model and decision.registry.named(intent.name) is None:
        decision.make(intent.name)
    else:
        decision.find(intent.name)
    version = decision.make_version()
    version.source, version.storage_location = intent.source, intent.storage_location
    version.description = intent.description
    version.tags.update(intent.tags)
    if intent.HasField("lineage"):
        version.lineage.CopyFrom(intent.lineage)
    number = version.version
    decision.tell(
        Entry((Kind.VERSION, number), model_history_pb2.MODEL_ACTION_VERSION_CREATED, number, new_value=str(number))
    )
    for alias in dict.fromkeys(intent.aliases):
        point_alias(decision, alias, number)
    decision.result = _result(decision, number)


def update_version(decision: Decision, intent: registry_event_pb2.ModelVersionUpdated) -> None:
    """Refused MODEL_NOT_FOUND, VERSION_NOT_FOUND."""
    decision.find(intent.name)
    version = decision.change_version(intent.version)
    subjects = ", ".join(changed_texts(version, intent))
    if subjects:
        about = (Kind.VERSION, intent.version)
        decision.tell(Entry(about, model_history_pb2.MODEL_ACTION_VERSION_UPDATED, intent.version, subjects))
    decision.result = _result(decision, intent.version)


def transition_version(decision: Decision, intent: registry_event_pb2.ModelVersionTransitioned) -> None:
    """Refused MODEL_NOT_FOUND, VERSION_NOT_FOUND, APPROVAL_REQUIRED."""
    decision.find(intent.name)
    move_version(decision, intent.version, intent.stage, intent.archive_existing)
    decision.result = _result(decision, intent.version)


def move_version(
    decision: Decision, number: int, stage: registry_event_pb2.ModelStage.ValueType, archive_existing: bool
) -> None:
    """To another stage; with `archive_existing` the others of the stage leave it. Refused as transition_version."""
    decision.version(number)
    decision.demand(stage in decision.model.approval_policy.stages, f"stage {stage_name(stage)}")
    _move(decision, number, stage)
    if archive_existing:
        for other in list(decision.in_stage(stage, number)):
            _move(decision, other, registry_event_pb2.MODEL_STAGE_ARCHIVED)


def delete_version(decision: Decision, intent: registry_event_pb2.ModelVersionDeleted) -> None:
    """Refused MODEL_NOT_FOUND, VERSION_NOT_FOUND, APPROVAL_REQUIRED."""
    decision.find(intent.name)
    number = intent.version
    version = decision.change_version(number)
    for alias in sorted(alias for alias, named in decision.model.aliases.items() if named == number):
        drop_alias(decision, alias)
    version.deleted = True
    about = (Kind.VERSION, number)
    decision.tell(Entry(about, model_history_pb2.MODEL_ACTION_VERSION_DELETED, number, old_value=str(number)))
    decision.result = _result(decision, number)


def _move(decision: Decision, number: int, stage: registry_event_pb2.ModelStage.ValueType) -> None:
    version = decision.change_version(number)
    decision.tell(
        Entry(
            (Kind.VERSION, number), model_history_pb2.MODEL_ACTION_VERSION_TRANSITIONED, number, "stage",
            stage_name(version.stage), stage_name(stage), approval=decision.approval,
        )
    )  # fmt: skip
    version.stage = stage


def _result(decision: Decision, number: int) -> str:
    return f"{decision.model.model_id}/{number}"
