"""Event files made by hand: an encoder of its own, and the checksums of the library crc32c."""

from __future__ import annotations

import struct

import crc32c


def record(content: bytes) -> bytes:
    """A TFRecord."""
    length = struct.pack("<Q", len(content))
    return length + _masked(length) + content + _masked(content)


def scalar(tag: str, step: int, value: float, time: float = 1_700_000_000.0) -> bytes:
    """An event of one scalar, as the first version of the format has it."""
    return event(step, _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value), time=time)


def tensor(tag: str, step: int, tensor_fields: bytes, plugin: str = "scalars") -> bytes:
    """An event of one tensor."""
    metadata = _field(9, _field(1, _field(1, plugin.encode())))
    return event(step, _field(1, tag.encode()) + _field(8, tensor_fields) + metadata)


def event(step: int, *values: bytes, time: float = 1_700_000_000.0) -> bytes:
    """An event whose summary has these values."""
    return _head(step, time) + _field(5, b"".join(_field(1, value) for value in values))


def session_start(step: int, time: float = 1_700_000_000.0) -> bytes:
    """An event by which a training says that it begins again at a step."""
    return _head(step, time) + _field(7, b"\x08\x01")


def field(number: int, content: bytes) -> bytes:
    return _field(number, content)


def varint(number: int) -> bytes:
    number %= 1 << 64
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _head(step: int, time: float) -> bytes:
    return b"\x09" + struct.pack("<d", time) + (b"\x10" + varint(step) if step else b"")


def _field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def _masked(content: bytes) -> bytes:
    sum_ = crc32c.crc32c(content)
    return struct.pack("<I", ((sum_ >> 15 | sum_ << 17) + 0xA282EAD8) & 0xFFFFFFFF)
