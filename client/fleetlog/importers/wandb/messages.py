"""W&B's records, by the fields that are read; the parts of a record are bytes until they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError

from fleetlog.importers.messages import message_classes, text_of

_MESSAGES = message_classes(
    "fleetlog.importers.wandb",
    {
        "Record": [
            (2, "history", "bytes"), (3, "summary", "bytes"), (4, "output", "bytes"), (5, "config", "bytes"),
            (7, "stats", "bytes"), (8, "artifact", "bytes"), (13, "output_raw", "bytes"), (17, "run", "bytes"),
            (18, "exit", "bytes"),
        ],
        "History": [(1, "item", "bytes[]"), (2, "step", "Step")],
        "Step": [(1, "num", "int64")],
        "Update": [(1, "update", "bytes[]"), (2, "remove", "bytes[]")],
        "Item": [(1, "key", "bytes"), (2, "nested_key", "bytes[]"), (16, "value_json", "bytes")],
        "Stats": [(2, "timestamp", "Timestamp"), (3, "item", "bytes[]")],
        "Timestamp": [(1, "seconds", "int64"), (2, "nanos", "int32")],
        "Output": [(2, "timestamp", "Timestamp"), (3, "line", "bytes")],
        "Run": [
            (1, "run_id", "bytes"), (2, "entity", "bytes"), (3, "project", "bytes"), (4, "config", "bytes"),
            (5, "summary", "bytes"), (6, "run_group", "bytes"), (7, "job_type", "bytes"), (8, "display_name", "bytes"),
            (9, "notes", "bytes"), (10, "tags", "bytes[]"), (12, "sweep_id", "bytes"), (13, "host", "bytes"),
            (17, "start_time", "Timestamp"), (21, "git", "Git"), (23, "branch_point", "BranchPoint"),
        ],
        "Git": [(1, "remote_url", "bytes"), (2, "commit", "bytes")],
        "BranchPoint": [(1, "run", "bytes"), (2, "value", "double"), (3, "metric", "bytes")],
        "Exit": [(1, "exit_code", "int32"), (2, "runtime", "int32")],
        "Artifact": [
            (4, "type", "bytes"), (5, "name", "bytes"), (12, "manifest", "Manifest"),
        ],
        "Manifest": [(4, "contents", "Entry[]")],
        "Entry": [(1, "path", "bytes"), (3, "ref", "bytes"), (4, "size", "int64"), (6, "local_path", "bytes")],
    },
)  # fmt: skip
VALUE_FIELD = b"\x82\x01"
"""Head of an item's value, which stands last in it."""


def message(name: str, content: bytes) -> Any | None:
    """The message; None for what is none."""
    try:
        return _MESSAGES[name].FromString(content)
    except DecodeError:
        return None


def items(contents: Iterable[bytes], keys: dict[bytes, str]) -> Iterator[tuple[str, bytes]]:
    """Keys and JSON of items; `keys` remembers what the heads of items say, since a step has those of the one before.

    An item that can't be read is passed over with the key "".
    """
    for content in contents:
        head, _, rest = content.partition(VALUE_FIELD)
        if rest and rest[0] == len(rest) - 1 < 0x80:
            key = keys.get(head)
            if key is None:
                key = keys[head] = _key(head)
            yield key, rest[1:]
        else:
            item = message("Item", content)
            yield ("", b"") if item is None else (_key(content), bytes(item.value_json))


def milliseconds(timestamp: Any) -> int:
    """Milliseconds since 1970 of a timestamp; 0 where there is none."""
    return int(timestamp.seconds) * 1000 + int(timestamp.nanos) // 1_000_000


def _key(content: bytes) -> str:
    """Key of an item, with what is nested joined by dots."""
    item = message("Item", content)
    if item is None:
        return ""
    return ".".join(map(text_of, item.nested_key)) if item.nested_key else text_of(item.key)
