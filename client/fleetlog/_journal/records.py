"""Records of a journal as bytes, pure.

A segment is MAGIC, then records: length and CRC-32 (little-endian, 4 bytes each), kind (1 byte), payload. The checksum
is of length, kind and payload. A record that is cut or changed ends the good part of its segment: what follows it is
not guessed at. Kinds that are not known are passed over, so that a journal of a later version can be read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from fleetlog_core import limits

MAGIC = b"fleetlog journal 1\n"
HEAD = struct.Struct("<IIB")
MAX_PAYLOAD_BYTES = limits.MESSAGE_BYTES + 4_096
"""Maximum length of a payload: a frame as large as a message may be, and what is said beside it."""
_LENGTH_AND_KIND = struct.Struct("<IB")
_NAME = struct.Struct("<H")
_ANSWERED = struct.Struct("<16s16sQ")
_NUMBER = struct.Struct("<I")


class Kind(IntEnum):
    """What a record is. Released numbers are never given to another kind."""

    FRAME = 1
    ANSWERED = 2
    EXPERIMENT = 3


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """A frame, encoded. `experiment` is the name whose number its first event lacks; "" when it lacks none."""

    experiment: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The server answered for every frame of the writer up to the sequence: it is durable, or refused."""

    run_id: bytes
    writer_id: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class ExperimentNumber:
    """The number that the server gave to an experiment's name."""

    namespace: str
    name: str
    number: int


Record = LoggedFrame | Answered | ExperimentNumber


def encode(record: Record) -> bytes:
    """The record's bytes."""
    if isinstance(record, LoggedFrame):
        return _record(Kind.FRAME, _named(record.experiment) + record.frame)
    if isinstance(record, Answered):
        return _record(Kind.ANSWERED, _ANSWERED.pack(record.run_id, record.writer_id, record.sequence))
    names = _named(record.namespace) + _named(record.name)
    return _record(Kind.EXPERIMENT, _NUMBER.pack(record.number) + names)


def _record(kind: int, payload: bytes) -> bytes:
    return HEAD.pack(len(payload), _checksum(kind, payload), kind) + payload


def _checksum(kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_LENGTH_AND_KIND.pack(len(payload), kind)))


def _named(name: str) -> bytes:
    encoded = name.encode("utf-8", "surrogatepass")
    return _NAME.pack(len(encoded)) + encoded


class Damaged(ValueError):
    """Bytes that are no record."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a payload."""

    length: int
    checksum: int
    kind: int


def head_of(data: bytes) -> Head:
    """The head of a record. Damaged: it is cut, or names a length that no record has."""
    if len(data) < HEAD.size:
        raise Damaged("its head is cut")
    head = Head(*HEAD.unpack(data))
    if head.length > MAX_PAYLOAD_BYTES:
        raise Damaged(f"its length is {head.length:,} bytes, and none has more than {MAX_PAYLOAD_BYTES:,}")
    return head


def record_of(head: Head, payload: bytes) -> Record | None:
    """The record of a head and a payload; None for a kind that is not known. Damaged."""
    if len(payload) < head.length:
        raise Damaged(f"{head.length - len(payload):,} of its {head.length:,} bytes are missing")
    if _checksum(head.kind, payload) != head.checksum:
        raise Damaged("its checksum does not match its bytes")
    try:
        return _decoded(head.kind, payload)
    except (struct.error, UnicodeDecodeError) as error:
        raise Damaged(f"its fields can't be read: {error}") from None


def _decoded(kind: int, payload: bytes) -> Record | None:
    if kind == Kind.FRAME:
        name, end = _name_at(payload, 0)
        return LoggedFrame(name, payload[end:])
    if kind == Kind.ANSWERED:
        return Answered(*_ANSWERED.unpack(payload))
    if kind == Kind.EXPERIMENT:
        (number,) = _NUMBER.unpack_from(payload)
        namespace, end = _name_at(payload, _NUMBER.size)
        name, _ = _name_at(payload, end)
        return ExperimentNumber(namespace, name, number)
    return None


def _name_at(payload: bytes, place: int) -> tuple[str, int]:
    (length,) = _NAME.unpack_from(payload, place)
    end = place + _NAME.size + length
    if end > len(payload):
        raise struct.error("a name is longer than its record")
    return payload[place + _NAME.size : end].decode("utf-8", "surrogatepass"), end


def decode_all(data: bytes) -> Iterator[Record]:
    """The records of a whole segment. Damaged, once the good ones are through."""
    if not data.startswith(MAGIC):
        raise Damaged("it does not begin as a journal does")
    place = len(MAGIC)
    while place < len(data):
        head = head_of(data[place : place + HEAD.size])
        place += HEAD.size
        record = record_of(head, data[place : place + head.length])
        place += head.length
        if record is not None:
            yield record
