"""Arguments of start_run as the delivery encodes them later: checked while there is somebody to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import SupportsIndex
from uuid import UUID

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.ids import parse_id

_INT32 = 1 << 31


def wrong(name: str, value: object, expected: str) -> InvalidArgument:
    """INVALID_TYPE: names the argument, its value, and what was expected."""
    try:
        text = shown(value)
    except Exception:  # a value that can't even be shown is still refused by its name
        text = "what was given"
    return InvalidArgument.of_field("INVALID_TYPE", name, f"{text} is {_kind(value)}; give {expected}")


def text_of(name: str, value: object, default: str) -> str:
    """A text; None is the default."""
    if value is None:
        return default
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return str(value)


def mapping_of(name: str, value: object) -> Mapping[str, object]:
    """A mapping; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(name, value, "a dict of names and values")
    return value


def flag_of(name: str, value: object) -> bool:
    """True or False."""
    if value is True or value is False:
        return value
    raise wrong(name, value, "True or False")


def id_of(name: str, value: object) -> bytes:
    """The bytes of an id: a text, a UUID, or something that has one (a Run, a RunView)."""
    own = getattr(value, "id", None)
    found = value.hex if isinstance(value, UUID) else own if isinstance(own, str) else value
    if not isinstance(found, str):
        raise wrong(name, value, "the 32 hexadecimal digits of an id")
    return parse_id(found, name)


def rank_of(value: object) -> int | None:
    """A rank: a whole number of any kind, or a text of one, as the environment has it."""
    if value is None:
        return None
    rank: object = None
    if isinstance(value, str):
        rank = int(value) if value.strip().isdecimal() else None
    elif not isinstance(value, bool):
        if isinstance(value, SupportsIndex):
            rank = value.__index__()
        elif isinstance(value, float) and value.is_integer():
            rank = int(value)
    if not isinstance(rank, int):
        raise wrong("rank", value, "a whole number from 0, or None")
    if not 0 <= rank < _INT32:
        raise InvalidArgument.of_field(
            "OVER_LIMIT", "rank", f"{rank} is not 0 to {_INT32 - 1:,}; give the rank's number"
        )
    return rank


def _kind(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"
