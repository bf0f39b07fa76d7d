"""Data that runs read: what was given as messages, and messages as what was read."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

from fleetlog_proto.v1 import event_pb2


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


def to_dataset(data: str | Described, context: str, said: dict[str, Any]) -> event_pb2.Dataset:
    """The message of a name, or of data that tells of itself; what is `said` of it counts more. TypeError."""
    if isinstance(data, str):
        known: dict[str, Any] = {"name": data}
    elif isinstance(data, Described):
        known = data.to_dict()
    else:
        raise TypeError(f"data is a name or has a to_dict() that tells it, not {type(data).__name__}")
    known = {**known, **{field: value for field, value in said.items() if value}, "context": context}
    return event_pb2.Dataset(**{field.name: _text(known.get(field.name)) for field in fields(Dataset)})


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
