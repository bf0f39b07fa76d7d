"""Where the numbers of an event stand in its bytes, when all that it tells is scalars.

Thousands of events of a file differ in nothing but their time, their step and their value. One is walked through here,
field by field; those whose other bytes are the same are read by numpy at once (scalars.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

DOUBLE, FLOAT = "<f8", "<f4"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DT_FLOAT, _DT_DOUBLE = 1, 2
_VARINT_BYTES = 10


@dataclass(frozen=True, slots=True)
class ScalarPlace:
    """A scalar of an event: its tag, and where its value is."""

    tag: bytes
    at: int
    kind: str
    """DOUBLE or FLOAT."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of an event's numbers."""

    wall_time_at: int | None
    step_at: int | None
    step_bytes: int
    scalars: tuple[ScalarPlace, ...]


class _OtherwiseBuilt(Exception):
    """The event tells something else, or tells it otherwise: it is read by itself."""


def layout_of(event: bytes) -> Layout | None:
    """The layout of an event of scalars; None of every other one."""
    try:
        return _event(event)
    except _OtherwiseBuilt:
        return None


def _event(event: bytes) -> Layout:
    wall_time_at = step_at = None
    step_bytes = 0
    scalars: tuple[ScalarPlace, ...] | None = None
    for number, kind, start, end in _fields(event, 0, len(event)):
        if (number, kind) == (1, _FIXED64) and wall_time_at is None:
            wall_time_at = start
        elif (number, kind) == (2, _VARINT) and step_at is None:
            step_at, step_bytes = start, end - start
        elif (number, kind) == (5, _BYTES) and scalars is None:
            scalars = tuple(_summary(event, start, end))
        else:
            raise _OtherwiseBuilt
    if not scalars:
        raise _OtherwiseBuilt
    return Layout(wall_time_at, step_at, step_bytes, scalars)


def _summary(event: bytes, start: int, end: int) -> Iterator[ScalarPlace]:
    for number, kind, at, behind in _fields(event, start, end):
        if (number, kind) != (1, _BYTES):
            raise _OtherwiseBuilt
        yield _value(event, at, behind)


def _value(event: bytes, start: int, end: int) -> ScalarPlace:
    tag, place = b"", None
    for number, kind, at, behind in _fields(event, start, end):
        if (number, kind) == (1, _BYTES):
            tag = event[at:behind]
        elif (number, kind) == (2, _FIXED32) and place is None:
            place = (at, FLOAT)
        elif (number, kind) == (8, _BYTES) and place is None:
            place = _tensor(event, at, behind)
        elif (number, kind) not in ((7, _BYTES), (9, _BYTES)):
            raise _OtherwiseBuilt
    if place is None or not tag:
        raise _OtherwiseBuilt
    return ScalarPlace(tag, *place)


def _tensor(event: bytes, start: int, end: int) -> tuple[int, str]:
    """Where the only number of a tensor without dimensions is."""
    element, at_value, size = 0, None, 0
    for number, kind, at, behind in _fields(event, start, end):
        if (number, kind) == (1, _VARINT):
            element = _varint(event, at, behind)
        elif (number, kind) == (2, _BYTES) and at == behind:
            pass
        elif number in (4, 5, 6) and kind != _VARINT and at_value is None:
            at_value, size = at, behind - at
            if (number, element) in ((5, _DT_DOUBLE), (6, _DT_FLOAT)):
                raise _OtherwiseBuilt
        elif (number, kind) != (3, _VARINT):
            raise _OtherwiseBuilt
    if at_value is not None and (element, size) == (_DT_FLOAT, 4):
        return at_value, FLOAT
    if at_value is not None and (element, size) == (_DT_DOUBLE, 8):
        return at_value, DOUBLE
    raise _OtherwiseBuilt


def _fields(event: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, kind, begin and end of the content of each field of the message that stands there."""
    while start < end:
        at = _behind_varint(event, start, end)
        head = _varint(event, start, at)
        number, kind = head >> 3, head & 7
        if kind == _VARINT:
            behind = _behind_varint(event, at, end)
        elif kind == _FIXED64:
            behind = at + 8
        elif kind == _FIXED32:
            behind = at + 4
        elif kind == _BYTES:
            content = _behind_varint(event, at, end)
            at, behind = content, content + _varint(event, at, content)
        else:
            raise _OtherwiseBuilt
        if behind > end:
            raise _OtherwiseBuilt
        yield number, kind, at, behind
        start = behind


def _behind_varint(event: bytes, start: int, end: int) -> int:
    for at in range(start, min(end, start + _VARINT_BYTES)):
        if event[at] < 0x80:
            return at + 1
    raise _OtherwiseBuilt


def _varint(event: bytes, start: int, end: int) -> int:
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(event[start:end]))
