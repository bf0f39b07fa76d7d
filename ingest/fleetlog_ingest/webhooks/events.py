"""What webhooks are told of an intent that was accepted. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleetlog_proto.v1 import frame_pb2, model_history_pb2

PROMPT_TAG = "mlflow.prompt.is_prompt"
"""Tag of the models that are prompts, whose events have names of their own."""


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the history that an intent left, see fleetlog.v1.ModelHistoryEntry."""

    place: int
    action: int
    version: int = 0
    subject: str = ""
    old_value: str = ""
    new_value: str = ""
    comment: str = ""
    approval: int = 0


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """Something that happened. `name`: as fleetlog_core.rules.webhooks.EVENTS."""

    name: str
    body: bytes


def events_of(control: frame_pb2.ControlRecord, changes: Sequence[Change], *, is_prompt: bool) -> list[WebhookEvent]:
    """Returns the events of an intent, in order: always the same ones for the same intent."""
    intent = getattr(control, control.WhichOneof("intent") or "")
    found = []
    for change in changes:
        for entity, action, data in _told(intent, change, is_prompt):
            found.append(_event(control, entity, action, {"name": intent.name, **data}))
    return found


def _told(intent: Any, change: Change, is_prompt: bool) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    model = "prompt" if is_prompt else "registered_model"
    version = "prompt_version" if is_prompt else "model_version"
    alias = "prompt_alias" if is_prompt else "model_version_alias"
    number = {"version": str(change.version)}
    if change.action == model_history_pb2.MODEL_ACTION_MODEL_CREATED:
        yield model, "created", {"tags": dict(intent.tags), "description": intent.description or None}
    elif change.action == model_history_pb2.MODEL_ACTION_VERSION_CREATED:
        lineage = intent.lineage
        yield (
            version,
            "created",
            {
                **number,
                "source": intent.source,
                "run_id": lineage.run_id or lineage.foreign_run_id or None,
                "tags": dict(intent.tags),
                "description": intent.description or None,
            },
        )
    elif change.action == model_history_pb2.MODEL_ACTION_VERSION_TRANSITIONED:
        moved = {"from_stage": change.old_value, "to_stage": change.new_value, "approval": change.approval or None}
        yield "model_version", "transitioned", {**number, **moved}
    elif change.action == model_history_pb2.MODEL_ACTION_ALIAS_SET:
        yield alias, "created", {**number, "alias": change.subject}
    elif change.action == model_history_pb2.MODEL_ACTION_ALIAS_DELETED:
        yield alias, "deleted", {"alias": change.subject}
    elif change.action == model_history_pb2.MODEL_ACTION_MODEL_UPDATED:
        yield from _tags(intent, f"{model}_tag", {})
    elif change.action == model_history_pb2.MODEL_ACTION_VERSION_UPDATED:
        yield from _tags(intent, f"{version}_tag", number)
    elif change.action == model_history_pb2.MODEL_ACTION_COMMENTED:
        yield "comment", "created", {"version": number["version"] if change.version else None, "text": change.comment}
    elif change.action in _APPROVALS:
        asked = {"approval": change.approval, "subject": change.subject, "to": change.new_value}
        yield "approval", _APPROVALS[change.action], {**number, **asked, "comment": change.comment}


_APPROVALS: Mapping[int, str] = {
    model_history_pb2.MODEL_ACTION_APPROVAL_REQUESTED: "requested",
    model_history_pb2.MODEL_ACTION_APPROVED: "approved",
    model_history_pb2.MODEL_ACTION_REJECTED: "rejected",
}


def _tags(intent: Any, entity: str, which: Mapping[str, str]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    # Keys are removed before others are set: one that is in both is set.
    for key in sorted(set(intent.deleted_tags) - set(intent.tags)):
        yield entity, "deleted", {**which, "key": key}
    for key in sorted(intent.tags):
        yield entity, "set", {**which, "key": key, "value": intent.tags[key]}


def _event(control: frame_pb2.ControlRecord, entity: str, action: str, data: Mapping[str, Any]) -> WebhookEvent:
    when = datetime.fromtimestamp(control.ingest_time_millis / 1000, UTC).isoformat().replace("+00:00", "Z")
    body = {
        "entity": entity,
        "action": action,
        "timestamp": when,
        "namespace": control.namespace,
        "user": control.user,
        "data": data,
    }
    return WebhookEvent(f"{entity}.{action}", json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
