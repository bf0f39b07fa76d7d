"""As of when to read: times, distances and positions as the message."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.times import RULE, to_millis
from fleetlog_proto.v1 import scope_pb2

from fleetlog._values.position import Position
from fleetlog._values.values import display

AsOf = datetime | timedelta | float | str | Position
"""A time by fleetlog_core.times; how long ago, also as text: "2h"; or RunList.position of a search."""
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)\s*", re.ASCII)
_AGO = re.compile(rf"((?:{_PIECE.pattern})+)(?:ago)?", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def as_of_message(when: AsOf | None) -> scope_pb2.AsOf | None:
    """The message; None for None. InvalidArgument AS_OF_INVALID."""
    if when is None:
        return None
    if isinstance(when, Position):
        return scope_pb2.AsOf(position=when.message())
    try:
        return scope_pb2.AsOf(time_millis=_millis(when))
    except (ValueError, OverflowError) as error:
        raise _invalid(when, error) from None


class _Past(Protocol):
    """A request of a past moment, or of now."""

    @property
    def as_of(self) -> scope_pb2.AsOf: ...

    def HasField(self, field_name: Literal["as_of"]) -> bool: ...  # noqa: N802


def as_of_of(request: _Past) -> AsOf | None:
    """Moment of a request, as a later one may be given it to read the same; None = now."""
    if not request.HasField("as_of"):
        return None
    asked = request.as_of
    if asked.HasField("position"):
        return Position.of(asked.position)
    return datetime.fromtimestamp(asked.time_millis / 1000, UTC)


def _millis(when: datetime | timedelta | float | str) -> int:
    if isinstance(when, str):
        ago = _AGO.fullmatch(when.strip())
        if ago is not None:
            when = timedelta(seconds=sum(float(size) * _SECONDS[unit] for size, unit in _PIECE.findall(ago[1])))
    if isinstance(when, timedelta):
        return int((time.time() - when.total_seconds()) * 1000)
    return to_millis(when)


def _invalid(when: object, error: Exception) -> InvalidArgument:
    said = str(error) if isinstance(error, ValueError) else f"{display(when)} is no time: {RULE}"
    return InvalidArgument.of_field(
        "AS_OF_INVALID",
        "as_of",
        f"{said}, or say how long ago: 90s, 1h30m, 3d, 1w",
    )
