"""Records of TensorBoard's event files, read back field by field."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import numpy as np
from fleetlog.exporters.event_records import scalar_records, version_record


def _crc(content: bytes) -> int:
    """CRC-32C, bit by bit, masked as TFRecord has it."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _events(data: bytes) -> Iterator[bytes]:
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12])[0] == _crc(data[:8])
        event = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == _crc(event)
        yield event
        data = data[16 + length :]


def _fields(message: bytes) -> dict[int, bytes | int]:
    """Fields of a message of protobuf."""
    found: dict[int, bytes | int] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(message):
        mark = varint()
        if mark & 7 == 0:
            found[mark >> 3] = varint()
        else:
            size = 8 if mark & 7 == 1 else varint()
            found[mark >> 3] = message[at : at + size]
            at += size
    return found


def _bytes(value: bytes | int) -> bytes:
    assert isinstance(value, bytes)
    return value


def test_steps_times_and_values_come_back_by_bits() -> None:
    steps = np.array([-(2**63), -1, 0, 127, 128, 129, 2**63 - 1], np.int64)
    values = np.array([0.1, math.nan, -math.inf, 5e-324, -0.0, 1.0, 1e300])
    times = np.arange(7, dtype=np.int64) + 1_700_000_000_123
    for tag in ("loss", "é" * 250):
        events = [_fields(one) for one in _events(b"".join(scalar_records(tag, steps, times, values)))]
        assert [np.uint64(event[2]).astype(np.int64) for event in events] == steps.tolist()
        assert [struct.unpack("<d", _bytes(event[1]))[0] * 1000 for event in events] == times.tolist()
        summaries = [_fields(_bytes(_fields(_bytes(event[5]))[1])) for event in events]
        assert {_bytes(one[1]).decode() for one in summaries} == {tag}
        tensors = [_fields(_bytes(one[8])) for one in summaries]
        assert {tensor[1] for tensor in tensors} == {2}
        assert b"".join(_bytes(tensor[6]) for tensor in tensors) == values.tobytes()
        assert {_fields(_bytes(_fields(_bytes(one[9]))[1]))[1] for one in summaries} == {b"scalars"}


def test_a_file_begins_with_its_version() -> None:
    [event] = map(_fields, _events(version_record(1.5)))
    assert (event[3], struct.unpack("<d", _bytes(event[1]))[0]) == (b"brain.Event:2", 1.5)
