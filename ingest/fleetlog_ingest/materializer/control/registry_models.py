"""Intents on models as a whole, on their aliases, and comments. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fleetlog_core import limits
from fleetlog_core.errors import shown
from fleetlog_core.registry.states import Kind
from fleetlog_proto.v1 import model_history_pb2, registry_event_pb2

from fleetlog_ingest.materializer.control.outcome import Refused
from fleetlog_ingest.materializer.control.registry_decision import Decision, Entry, Model, Version

_MODEL = (Kind.MODEL, 0)
TOLD_TAGS = 10
"""Keys of tags that a line of the history names."""


def create_model(decision: Decision, intent: registry_event_pb2.RegisteredModelCreated) -> None:
    """Refused MODEL_EXISTS."""
    taken = decision.registry.named(intent.name)
    if taken is not None:
        if not intent.exist_ok:
            raise _taken(intent.name)
        decision.result = str(taken.model_id)
        return
    decision.make(intent.name)
    decision.model.description = intent.description
    decision.model.tags.update(intent.tags)
    decision.model.approval_policy.CopyFrom(intent.approval_policy)
    decision.result = str(decision.model.model_id)


def update_model(decision: Decision, intent: registry_event_pb2.RegisteredModelUpdated) -> None:
    """Refused MODEL_NOT_FOUND, MODEL_EXISTS."""
    decision.find(intent.name)
    model = decision.model
    if intent.HasField("new_name") and intent.new_name != model.name:
        if decision.registry.named(intent.new_name) is not None:
            raise _taken(intent.new_name)
        decision.tell(
            Entry(_MODEL, model_history_pb2.MODEL_ACTION_MODEL_RENAMED, subject="name", old_value=model.name,
                  new_value=intent.new_name)
        )  # fmt: skip
        model.name = intent.new_name
    subjects = changed_texts(model, intent)
    if intent.HasField("approval_policy"):
        subjects.append("approval_policy")
        model.approval_policy.CopyFrom(intent.approval_policy)
    if subjects:
        decision.tell(Entry(_MODEL, model_history_pb2.MODEL_ACTION_MODEL_UPDATED, subject=", ".join(subjects)))
    decision.touch()
    decision.result = str(model.model_id)


def delete_model(decision: Decision, intent: registry_event_pb2.RegisteredModelDeleted) -> None:
    """Refused MODEL_NOT_FOUND. Its versions are reached by it alone."""
    decision.find(intent.name)
    decision.model.deleted = True
    decision.touch()
    decision.tell(Entry(_MODEL, model_history_pb2.MODEL_ACTION_MODEL_DELETED, old_value=decision.model.name))
    decision.result = str(decision.model.model_id)


def set_alias(decision: Decision, intent: registry_event_pb2.ModelAliasSet) -> None:
    """Refused MODEL_NOT_FOUND, VERSION_NOT_FOUND, APPROVAL_REQUIRED, TOO_MANY_ALIASES."""
    decision.find(intent.name)
    point_alias(decision, intent.alias, intent.version)
    decision.result = str(decision.model.model_id)


def point_alias(decision: Decision, alias: str, number: int) -> None:
    """Let the alias name the version. Refused as set_alias."""
    model = decision.model
    decision.version(number)
    decision.demand(alias in model.approval_policy.aliases, f"alias {shown(alias)}")
    before = model.aliases.get(alias, 0)
    model.aliases[alias] = number
    if len(model.aliases) > limits.ALIASES_PER_MODEL:
        raise Refused(
            "TOO_MANY_ALIASES", f"alias: a model has at most {limits.ALIASES_PER_MODEL:,}; delete one that is not used"
        )
    decision.touch()
    decision.tell(
        Entry(
            _MODEL, model_history_pb2.MODEL_ACTION_ALIAS_SET, version=number, subject=alias,
            old_value=str(before) if before else "", new_value=str(number), approval=decision.approval,
        )
    )  # fmt: skip


def delete_alias(decision: Decision, intent: registry_event_pb2.ModelAliasDeleted) -> None:
    """Refused MODEL_NOT_FOUND, ALIAS_NOT_FOUND, APPROVAL_REQUIRED."""
    decision.find(intent.name)
    if intent.alias not in decision.model.aliases:
        raise Refused(
            "ALIAS_NOT_FOUND", f"alias: model {shown(decision.model.name)} has no alias {shown(intent.alias)}"
        )
    drop_alias(decision, intent.alias)
    decision.result = str(decision.model.model_id)


def drop_alias(decision: Decision, alias: str) -> None:
    """Remove an alias that is there. Refused APPROVAL_REQUIRED."""
    model = decision.model
    decision.demand(alias in model.approval_policy.aliases, f"alias {shown(alias)}")
    number = model.aliases.pop(alias)
    decision.touch()
    decision.tell(
        Entry(
            _MODEL, model_history_pb2.MODEL_ACTION_ALIAS_DELETED, version=number, subject=alias, old_value=str(number)
        )
    )


def add_comment(decision: Decision, intent: registry_event_pb2.ModelCommentAdded) -> None:
    """Refused MODEL_NOT_FOUND, VERSION_NOT_FOUND. It is a line of the history, and no state."""
    decision.find(intent.name)
    if intent.version:
        decision.version(intent.version)
    about = (Kind.VERSION, intent.version) if intent.version else _MODEL
    decision.tell(Entry(about, model_history_pb2.MODEL_ACTION_COMMENTED, version=intent.version, comment=intent.text))
    decision.result = f"{decision.model.model_id}/{decision.offset}"


def changed_texts(
    state: Model | Version, intent: registry_event_pb2.RegisteredModelUpdated | registry_event_pb2.ModelVersionUpdated
) -> list[str]:
    """Set description and tags; what was named, for the history."""
    subjects: list[str] = []
    if intent.HasField("description"):
        subjects.append("description")
        state.description = intent.description
    _change_tags(state, intent.tags, intent.deleted_tags)
    keys = sorted({*intent.tags, *intent.deleted_tags})
    subjects += [f"tags.{key}" for key in keys[:TOLD_TAGS]]
    return subjects + ([f"{len(keys) - TOLD_TAGS} more"] if len(keys) > TOLD_TAGS else [])


def _change_tags(state: Model | Version, tags: Mapping[str, str], deleted: Collection[str]) -> None:
    for key in deleted:
        state.tags.pop(key, None)
    state.tags.update(tags)


def _taken(name: str) -> Refused:
    return Refused("MODEL_EXISTS", f"name: there is a model {shown(name)} already; give another name")
