"""States of models, versions and approvals as the tables keep them: JSON by the names of the contract's fields. Pure.

A field at its default is left out; what reads fill (a version's name and aliases) is never written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from fleetlog_proto.v1 import model_approval_pb2, model_version_pb2, registered_model_pb2
from google.protobuf.message import Message

State = registered_model_pb2.RegisteredModel | model_version_pb2.ModelVersion | model_approval_pb2.Approval


class Kind(IntEnum):
    """What a row of `registry_history` is about, as the column `kind` says it."""

    MODEL = 1
    VERSION = 2
    APPROVAL = 3


def to_text(state: State) -> str:
    """The state as JSON, the same text for the same state."""
    return json.dumps(_plain(state), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def model_of(text: str) -> registered_model_pb2.RegisteredModel:
    """The model of its text."""
    return registered_model_pb2.RegisteredModel(**json.loads(text))


def version_of(text: str) -> model_version_pb2.ModelVersion:
    """The version of its text."""
    return model_version_pb2.ModelVersion(**json.loads(text))


def approval_of(text: str) -> model_approval_pb2.Approval:
    """The approval of its text."""
    return model_approval_pb2.Approval(**json.loads(text))


def shown_version(
    version: model_version_pb2.ModelVersion, model: registered_model_pb2.RegisteredModel
) -> model_version_pb2.ModelVersion:
    """A copy with what reads fill: the name and the aliases that the model has for it."""
    shown = model_version_pb2.ModelVersion()
    shown.CopyFrom(version)
    shown.name = model.name
    if not version.deleted:
        shown.aliases[:] = sorted(alias for alias, number in model.aliases.items() if number == version.version)
    return shown


def _plain(message: Message) -> dict[str, Any]:
    """The set fields as dicts, lists, numbers and texts. Fields of bytes are not part of any state."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if isinstance(value, Message):
            found[field.name] = _plain(value)
        elif isinstance(value, Mapping):
            found[field.name] = dict(value)
        elif field.is_repeated:
            found[field.name] = [_plain(one) if isinstance(one, Message) else one for one in value]
        else:
            found[field.name] = value
    return found
