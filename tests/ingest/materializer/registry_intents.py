"""Intents on registered models for tests, and what the fold made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fleetlog_core.registry.states import approval_of, model_of, version_of
from fleetlog_core.warehouse.port import Coded, Column
from fleetlog_ingest.materializer.control.control import ControlFolded, ControlState, fold_control
from fleetlog_ingest.materializer.fold.decoding import Decoded as Record
from fleetlog_ingest.materializer.fold.tables import Columns
from fleetlog_proto.v1 import (
    frame_pb2,
    model_approval_pb2,
    model_history_pb2,
    model_version_pb2,
    registered_model_pb2,
    registry_event_pb2,
)

from tests.ingest.materializer.builders import control

event = registry_event_pb2
Intent = frame_pb2.ControlRecord
NONE, STAGING, PRODUCTION, ARCHIVED = (
    event.MODEL_STAGE_NONE, event.MODEL_STAGE_STAGING, event.MODEL_STAGE_PRODUCTION, event.MODEL_STAGE_ARCHIVED,
)  # fmt: skip


def create(
    name: str,
    *,
    exist_ok: bool = False,
    stages: Sequence[event.ModelStage.ValueType] = (),
    aliases: Sequence[str] = (),
) -> Intent:
    policy = event.ApprovalPolicy(stages=stages, aliases=aliases)
    return Intent(
        registered_model_created=event.RegisteredModelCreated(name=name, exist_ok=exist_ok, approval_policy=policy)
    )


def version(name: str, *aliases: str, create_model: bool = False, run_id: str = "") -> Intent:
    made = event.ModelVersionCreated(name=name, aliases=aliases, create_model=create_model)
    made.lineage.run_id = run_id
    return Intent(model_version_created=made)


def transition(name: str, number: int, stage: event.ModelStage.ValueType, *, archive: bool = False) -> Intent:
    moved = event.ModelVersionTransitioned(name=name, version=number, stage=stage, archive_existing=archive)
    return Intent(model_version_transitioned=moved)


def delete_version(name: str, number: int) -> Intent:
    return Intent(model_version_deleted=event.ModelVersionDeleted(name=name, version=number))


def delete(name: str) -> Intent:
    return Intent(registered_model_deleted=event.RegisteredModelDeleted(name=name))


def rename(name: str, new_name: str) -> Intent:
    return Intent(registered_model_updated=event.RegisteredModelUpdated(name=name, new_name=new_name))


def describe(name: str, text: str, **tags: str) -> Intent:
    return Intent(registered_model_updated=event.RegisteredModelUpdated(name=name, description=text, tags=tags))


def alias(name: str, word: str, number: int) -> Intent:
    return Intent(model_alias_set=event.ModelAliasSet(name=name, alias=word, version=number))


def drop_alias(name: str, word: str) -> Intent:
    return Intent(model_alias_deleted=event.ModelAliasDeleted(name=name, alias=word))


def comment(name: str, text: str, number: int = 0) -> Intent:
    return Intent(model_comment_added=event.ModelCommentAdded(name=name, version=number, text=text))


def ask(name: str, number: int, change: event.ModelStage.ValueType | str, *, archive: bool = False) -> Intent:
    asked = event.ModelApprovalRequested(name=name, version=number, archive_existing=archive)
    if isinstance(change, str):
        asked.alias = change
    else:
        asked.stage = change
    return Intent(model_approval_requested=asked)


def answer(name: str, number: int, approved: bool) -> Intent:
    return Intent(model_approval_decided=event.ModelApprovalDecided(name=name, number=number, approved=approved))


@dataclass(frozen=True)
class Decided:
    """What a batch of intents on models came to. Models are told by their ids, which are offsets of the log."""

    outcomes: list[tuple[bool, str]]
    """Whether each was accepted; the result, or the reason."""
    models: dict[int, registered_model_pb2.RegisteredModel]
    versions: dict[tuple[int, int], model_version_pb2.ModelVersion]
    approvals: dict[tuple[int, int], model_approval_pb2.Approval]
    history: list[tuple[int, str, int, str, str, str]]
    """Offset, action, version, subject, old and new value of each line."""


def records(intents: Sequence[Intent], users: Sequence[str] = ()) -> list[Record]:
    found = []
    for place, intent in enumerate(intents):
        intent.user = users[place] if users else "someone"
        found.append(control(place + 1, place, intent))
    return found


def decided(*intents: Intent, users: Sequence[str] = ()) -> Decided:
    """One batch into an empty registry."""
    return read(fold_control(records(intents, users), ControlState()))


def numbers(column: Column) -> list[int]:
    assert isinstance(column, np.ndarray)
    return [int(one) for one in column]


def texts(column: Column) -> list[str]:
    if isinstance(column, Coded):
        return [column.texts[code] for code in column.codes.tolist()]
    return list(map(str, column))


def read(out: ControlFolded) -> Decided:
    told = out.tables["outcomes"]
    outcomes = [
        (bool(accepted), result if accepted else reason)
        for accepted, result, reason in zip(
            numbers(told["accepted"]), texts(told["result"]), texts(told["reason"]), strict=True
        )
    ]
    states = {name: texts(columns["state"]) for name, columns in out.tables.items() if "state" in columns}
    models = map(model_of, states.get("registered_models", []))
    versions = map(version_of, states.get("model_versions", []))
    approvals = map(approval_of, states.get("model_approvals", []))
    return Decided(
        outcomes,
        {one.model_id: one for one in models},
        {(one.model_id, one.version): one for one in versions},
        {(one.model_id, one.number): one for one in approvals},
        _lines(out.tables["registry_history"]) if "registry_history" in out.tables else [],
    )


def _lines(columns: Columns) -> list[tuple[int, str, int, str, str, str]]:
    """The history without rows that only hold a state."""
    whole = zip(*(numbers(columns[name]) for name in ("ver", "action", "version")), strict=True)
    words = zip(*(texts(columns[name]) for name in ("subject", "old_value", "new_value")), strict=True)
    return [
        (ver, model_history_pb2.ModelAction.Name(action).removeprefix("MODEL_ACTION_"), of, subject, old, new)
        for (ver, action, of), (subject, old, new) in zip(whole, words, strict=True)
        if action
    ]
