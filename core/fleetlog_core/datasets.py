"""How a dataset of a run stands in `attrs`: what tells it apart is its key, the rest its text."""

from __future__ import annotations

import json

from fleetlog_proto.v1 import event_pb2

SEPARATOR = "\x1f"
"""Between name, digest and context; no name has control characters."""
PARTS = ("name", "digest", "context")
_DETAILS = ("source_type", "source", "schema", "profile")


def dataset_key(dataset: event_pb2.Dataset) -> str:
    """Name, digest and context. The name first: the rows of one name stand together."""
    return SEPARATOR.join(getattr(dataset, part) for part in PARTS)


def dataset_text(dataset: event_pb2.Dataset) -> str:
    """All else that is said of it: a JSON object of texts, tags and files of texts, without the empty ones."""
    said: dict[str, object] = {name: text for name in _DETAILS if (text := getattr(dataset, name))}
    if dataset.tags:
        said["tags"] = dict(sorted(dataset.tags.items()))
    if dataset.text_files:
        said["text_files"] = dict(sorted(dataset.text_files.items()))
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")) if said else ""


def dataset_of(key: str, text: str) -> event_pb2.Dataset:
    """The dataset of a key and a text."""
    name, digest, context = key.split(SEPARATOR)
    said = json.loads(text) if text else {}
    return event_pb2.Dataset(name=name, digest=digest, context=context, **said)


def dataset_name(key: str) -> str:
    """How a key is told of: its parts that are there."""
    return " / ".join(filter(None, key.split(SEPARATOR)))
