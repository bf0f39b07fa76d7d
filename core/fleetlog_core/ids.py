"""Ids of runs, writers and requests: 16 bytes inside, 32 hexadecimal digits outside.

A run id is a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits, so that byte order is time order.
That of a run which is named by a key is a UUIDv8, made of a digest (docs/decisions/0012).
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import time
from collections.abc import Sequence

from fleetlog_core.errors import InvalidArgument, shown

ID_BYTES = 16
_MARKS = {0: bytes(byte & 0x0F | 0x70 for byte in range(256)), 2: bytes(byte & 0x3F | 0x80 for byte in range(256))}
"""The version and the variant of a UUIDv7: what becomes of random bytes, by their place."""
KEYED_MILLIS = 0xFF00_0000_0000
"""Time of ids of keyed runs, Unix milliseconds: in the year 10,849, short of the last that an id can tell."""
KEY_TAG = "fleetlog.key"
"""Tag of a run that tells the key it is named by."""
_HEX = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def new_run_id(time_millis: int | None = None, randomness: bytes | None = None) -> bytes:
    """A UUIDv7 of this moment, or of the given Unix milliseconds and 10 bytes of randomness."""
    millis = time.time_ns() // 1_000_000 if time_millis is None else time_millis
    tail = bytearray(os.urandom(10) if randomness is None else randomness[:10])
    tail[0] = (tail[0] & 0x0F) | 0x70
    tail[2] = (tail[2] & 0x3F) | 0x80
    return (millis & 0xFFFFFFFFFFFF).to_bytes(6, "big") + bytes(tail)


def new_run_ids(times_millis: Sequence[int]) -> list[bytes]:
    """A UUIDv7 of each of these Unix milliseconds: as new_run_id, in a tenth of the time."""
    count = len(times_millis)
    # Byte by byte of all ids at once: a strided slice is copied in C, and nothing here needs numpy.
    times, noise, ids = struct.pack(f">{count}Q", *times_millis), os.urandom(10 * count), bytearray(ID_BYTES * count)
    for place in range(6):
        ids[place::ID_BYTES] = times[place + 2 :: 8]
    for place in range(10):
        ids[place + 6 :: ID_BYTES] = noise[place::10].translate(_MARKS.get(place))
    data = bytes(ids)
    return [data[place : place + ID_BYTES] for place in range(0, len(data), ID_BYTES)]


def keyed_run_id(namespace: str, experiment: str, key: str) -> bytes:
    """The id of the run that a key names in an experiment: a UUIDv8 of their digest, the same in every process.

    Its time is one far ahead, the same for all: such runs stand together behind all others.
    """
    digest = hashlib.sha256(b"fleetlog run key")
    for part in (namespace, experiment, key):
        said = part.encode()
        digest.update(len(said).to_bytes(4, "big") + said)
    tail = bytearray(digest.digest()[:10])
    tail[0] = (tail[0] & 0x0F) | 0x80
    tail[2] = (tail[2] & 0x3F) | 0x80
    return KEYED_MILLIS.to_bytes(6, "big") + bytes(tail)


def milliseconds_of(run_id: bytes) -> int:
    """When the id was made, in Unix milliseconds."""
    return int.from_bytes(run_id[:6], "big")


def new_random_id() -> bytes:
    """16 random bytes: a writer id or a request id."""
    return os.urandom(ID_BYTES)


def parse_id(text: str, field: str = "run_id") -> bytes:
    """The 16 bytes of an id; InvalidArgument INVALID_ID when it is not 32 lower-case hexadecimal digits.

    Upper case and the dashes of a UUID's usual notation are taken as well.
    """
    if not _HEX.fullmatch(text):
        raise InvalidArgument.of_field(
            "INVALID_ID", field, f"{shown(text)} is not 32 hexadecimal digits; give the whole id"
        )
    return bytes.fromhex(text.replace("-", ""))
