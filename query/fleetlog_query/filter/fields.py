"""Names: the spaces that keys live in, and the built-in attributes of a run, each with its aliases and type."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from fleetlog_core.errors import InvalidArgument

from fleetlog_query.filter import tree
from fleetlog_query.filter.complaint import Source, quoted, suggestion


class Kind(enum.IntEnum):
    """What a key names: `attrs.kind`."""

    PARAM = 1
    TAG = 2
    METRIC = 3


class Type(enum.Enum):
    """How values of an attribute compare."""

    TEXT = "text"
    NUMBER = "number"
    ID = "id"
    """32 hexadecimal digits."""
    STATE = "state"
    """The name of a state."""
    TIME = "time"
    """Unix milliseconds."""


class Attribute(enum.Enum):
    """A built-in field of a run, by its name in the language."""

    RUN_ID = "run_id"
    EXPERIMENT_ID = "experiment_id"
    NAME = "name"
    USER = "user"
    STATE = "state"
    START_TIME = "start_time"
    END_TIME = "end_time"
    PARENT_RUN_ID = "parent_run_id"


TYPES = {
    Attribute.RUN_ID: Type.ID,
    Attribute.EXPERIMENT_ID: Type.NUMBER,
    Attribute.NAME: Type.TEXT,
    Attribute.USER: Type.TEXT,
    Attribute.STATE: Type.STATE,
    Attribute.START_TIME: Type.TIME,
    Attribute.END_TIME: Type.TIME,
    Attribute.PARENT_RUN_ID: Type.ID,
}
STATES = ("", "RUNNING", "FINISHED", "FAILED", "KILLED")
"""Names of states by their numbers (fleetlog.v1.RunState); a state that is not known yet is empty text."""

_ALIASES = {attribute.value: attribute for attribute in Attribute} | {
    "run_name": Attribute.NAME,
    "Run name": Attribute.NAME,
    "Run Name": Attribute.NAME,
    "run name": Attribute.NAME,
    "user_id": Attribute.USER,
    "status": Attribute.STATE,
    "id": Attribute.RUN_ID,
    "parent_id": Attribute.PARENT_RUN_ID,
    "created": Attribute.START_TIME,
    "Created": Attribute.START_TIME,
}
KIND_NUMBERS = {"params": Kind.PARAM, "tags": Kind.TAG, "metrics": Kind.METRIC}
"""`attrs.kind` by space."""
_SPACES: dict[str, tree.Space] = {
    "": "attributes",
    "attributes": "attributes",
    "attribute": "attributes",
    "attr": "attributes",
    "run": "attributes",
    "metrics": "metrics",
    "metric": "metrics",
    "params": "params",
    "param": "params",
    "parameters": "params",
    "parameter": "params",
    "tags": "tags",
    "tag": "tags",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A param, tag or metric."""

    kind: Kind
    key: str


Name = Key | Attribute


def space_of(word: str) -> tree.Space | None:
    """The space that a word before the first dot means; "" means attributes."""
    return _SPACES.get(word)


def resolve(source: Source, field: tree.Field, prefix: str = "FILTER") -> Name:
    """What the name means. `prefix`_UNKNOWN_FIELD."""
    space = space_of(field.space)
    if space is None:
        raise _unknown(
            source, field, prefix, f"{quoted(field.space)} is no space of names{suggestion(field.space, _SPACES)}"
        )
    if space != "attributes":
        return Key(KIND_NUMBERS[space], field.key)
    attribute = _ALIASES.get(field.key)
    if attribute is None:
        known = ", ".join(one.value for one in Attribute)
        raise _unknown(
            source,
            field,
            prefix,
            f"there is no attribute {quoted(field.key)}{suggestion(field.key, _ALIASES)}; attributes are {known};"
            f" other names begin with metrics. params. or tags.",
        )
    return attribute


def _unknown(source: Source, field: tree.Field, prefix: str, description: str) -> InvalidArgument:
    return source.refusal(f"{prefix}_UNKNOWN_FIELD", field.span, description)
