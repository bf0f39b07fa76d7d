"""Scalars as records of TensorBoard's event files, many at once. Pure.

A record is TFRecord's: length, masked CRC-32C of it, an Event in protobuf's bytes, masked CRC-32C of that. Values are
tensors of doubles, as TensorFlow 2 writes scalars: `simple_value` would round them to 32 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fleetlog.importers import crc32c
from fleetlog.importers.protobuf_bytes import field, varint

VERSION = b"brain.Event:2"
_METADATA = b"\x0a\x09\x0a\x07scalars\x20\x01"
"""SummaryMetadata: its plugin is "scalars", its class DATA_CLASS_SCALAR."""
_TENSOR = b"\x08\x02\x12\x00\x32\x08"
"""TensorProto of one double, but for the eight bytes of that."""
_MASK = 0xA282EAD8
Bytes = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


def version_record(wall_time: float) -> bytes:
    """Returns the record with which a file begins."""
    event = b"\x09" + struct.pack("<d", wall_time) + field(3, VERSION)
    return _records(np.frombuffer(event, np.uint8).reshape(1, -1))


def scalar_records(tag: str, steps: I64, times: I64, values: F64) -> Iterator[bytes]:
    """Yields the records of a series, in order. Times are Unix milliseconds."""
    head, tail = _around_value(tag.encode())
    numbers = steps.view(np.uint64)
    sizes = _varint_sizes(numbers)
    ends = np.flatnonzero(np.diff(sizes)) + 1
    for first, last in zip([0, *ends.tolist()], [*ends.tolist(), len(steps)], strict=True):
        if first == last:
            continue
        size, count = int(sizes[first]), last - first
        rows = np.empty((count, 10 + size + len(head) + 8 + len(tail)), np.uint8)
        rows[:, 0], rows[:, 9] = 0x09, 0x10
        rows[:, 1:9] = (times[first:last] / 1000).astype("<f8").view(np.uint8).reshape(count, 8)
        rows[:, 10 : 10 + size] = _varints(numbers[first:last], size)
        at = 10 + size
        rows[:, at : at + len(head)] = np.frombuffer(head, np.uint8)
        at += len(head)
        rows[:, at : at + 8] = np.ascontiguousarray(values[first:last]).astype("<f8").view(np.uint8).reshape(count, 8)
        rows[:, at + 8 :] = np.frombuffer(tail, np.uint8)
        yield _records(rows)


def _around_value(tag: bytes) -> tuple[bytes, bytes]:
    """What stands between the step and the value, and behind the value: the Summary but for that."""
    size = len(_TENSOR) + 8
    before = field(1, tag) + b"\x42" + varint(size) + _TENSOR
    after = field(9, _METADATA)
    value = len(before) + 8 + len(after)
    summary = b"\x0a" + varint(value)
    return b"\x2a" + varint(len(summary) + value) + summary + before, after


def _records(rows: Bytes) -> bytes:
    """Rows of one length, each as a record."""
    count, length = rows.shape
    size = struct.pack("<Q", length)
    found = np.empty((count, 16 + length), np.uint8)
    found[:, :8] = np.frombuffer(size, np.uint8)
    found[:, 8:12] = np.frombuffer(struct.pack("<I", _masked(crc32c.crc32c_of(size))), np.uint8)
    found[:, 12 : 12 + length] = rows
    if length <= crc32c.BLOCK:
        sums = crc32c.masked(crc32c.crc32c(rows))
    else:
        sums = np.array([_masked(crc32c.crc32c_of(row.tobytes())) for row in rows], np.uint32)
    found[:, 12 + length :] = sums.astype("<u4").view(np.uint8).reshape(count, 4)
    return found.tobytes()


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def _varint_sizes(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    sizes = np.ones(len(numbers), np.int64)
    for size in range(1, 10):
        sizes += numbers >= np.uint64(1 << 7 * size)
    return sizes


def _varints(numbers: npt.NDArray[np.uint64], size: int) -> Bytes:
    columns = [(numbers >> np.uint64(7 * place)).astype(np.uint8) & np.uint8(0x7F) for place in range(size)]
    found = np.stack(columns, axis=1)
    found[:, :-1] |= np.uint8(0x80)
    return found
