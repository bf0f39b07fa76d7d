"""Arguments of start_run as the delivery encodes them later: checked while there is somebody to tell."""

from __future__ import annotations

from typing import SupportsIndex

from fleetlog_core.errors import InvalidArgument

from fleetlog._values.arguments import invalid, one_text, run_id

_INT32 = 1 << 31


def text_of(name: str, value: object, default: str) -> str:
    """A text; None is the default. InvalidArgument."""
    return default if value is None else one_text(name, value)


def id_of(name: str, value: object) -> bytes:
    """The bytes of an id: a text, a UUID, or something that has one (a Run, a RunView). InvalidArgument."""
    return bytes.fromhex(run_id(value, name))


def rank_of(value: object) -> int | None:
    """A rank: a whole number of any kind, or a text of one, as the environment has it. InvalidArgument."""
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
        raise invalid("rank", value, "a whole number from 0, or None")
    if not 0 <= rank < _INT32:
        raise InvalidArgument.of_field(
            "OVER_LIMIT", "rank", f"{rank} is not 0 to {_INT32 - 1:,}; give the rank's number"
        )
    return rank
