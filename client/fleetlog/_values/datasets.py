"""Data that runs read: what was given as messages, and messages as what was read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

from fleetlog_core import limits
from fleetlog_proto.v1 import event_pb2

from fleetlog._values.values import LeftOut, Unusable, foreign, text

_LONG = ("source", "schema", "profile")
"""Fields that may be long, and are left out when they are too long."""


@runtime_checkable
class Described(Protocol):
    """Data that tells of itself, such as the datasets of mlflow.data."""

    def to_dict(self) -> dict[str, Any]:
        """Name, digest, source_type, source, schema and profile, as far as they are known."""
        ...


@dataclass(frozen=True)
class Dataset:
    """Data that a run read. What is not known is empty."""

    name: str
    digest: str
    context: str
    source_type: str
    source: str
    schema: str
    profile: str

    @classmethod
    def of(cls, message: event_pb2.Dataset) -> Dataset:
        """From the message."""
        return cls(*(getattr(message, field.name) for field in fields(cls)))


def to_dataset(
    data: str | os.PathLike[str] | Described, context: object, said: Mapping[str, object]
) -> tuple[event_pb2.Dataset, list[LeftOut]]:
    """The message of a name, or of data that tells of itself; what is `said` of it counts more. Unusable.

    And what was left out because it can't be text or is too long.
    """
    with foreign("DATASET_INVALID"):
        if isinstance(data, (str, os.PathLike)):
            known: dict[str, Any] = {"name": os.fspath(data)}
        elif isinstance(data, Described):
            known = dict(data.to_dict())
        else:
            raise TypeError(f"data is a name or has a to_dict() that tells it, not {type(data).__name__}")
    given = {field: value for field, value in said.items() if value is not None and not _is_empty(value)}
    found: dict[str, str] = {}
    out: list[LeftOut] = []
    for field in fields(Dataset):
        value = context if field.name == "context" else given.get(field.name, known.get(field.name))
        try:
            found[field.name] = _text(field.name, value)
        except Unusable as error:
            if field.name == "name":
                raise
            out.append(LeftOut(field.name, error.reason, str(error)))
    message = event_pb2.Dataset()
    for name, value in found.items():
        setattr(message, name, value)
    return message, out


def _is_empty(value: object) -> bool:
    return isinstance(value, str) and not value


def _text(field: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        with foreign("DATASET_INVALID"):
            value = json.dumps(value, ensure_ascii=False, default=str)
    found = text(value)
    if field in _LONG and len(found.encode()) > limits.DATASET_TEXT_BYTES:
        raise Unusable("TEXT_TOO_LONG", f"it has more than {limits.DATASET_TEXT_BYTES:,} bytes; log it as an artifact")
    return found
