"""ClickHouse's Native format, both ways: blocks of columns, each column's values side by side.

A block is: number of columns and of rows (varints); for each column its name, its type (strings: varint length and
bytes) and its data. Numbers are little-endian arrays, FixedString(N) is N bytes a row, String is length and
bytes a row. LowCardinality(String) is a dictionary and indexes: u64 version 1, u64 flags (index width in the low
byte, 0x200 = has its own dictionary), u64 dictionary size, the dictionary, u64 rows, the indexes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from fleetlog_core.warehouse.port import Array, Coded, Column

_NUMBERS = {
    "UInt8": "u1", "UInt16": "<u2", "UInt32": "<u4", "UInt64": "<u8", "Bool": "u1",
    "Int8": "i1", "Int16": "<i2", "Int32": "<i4", "Int64": "<i8",
    "Float32": "<f4", "Float64": "<f8", "UInt128": "V16", "UInt256": "V32",
}  # fmt: skip
_FIXED = re.compile(r"FixedString\((\d+)\)")
_AGGREGATE = re.compile(r"SimpleAggregateFunction\(\w+, (.+)\)")
_DICTIONARY = 0x200
_UINT32_INDEX = 2
_INDEX_TYPES = ("u1", "<u2", "<u4", "<u8")

_SHORT = [bytes((size,)) for size in range(0x80)]
"""Lengths below 128 as varints."""


def dtype_of(type_name: str) -> np.dtype[np.generic] | None:
    """The numpy type of a fixed-width ClickHouse type; None for text."""
    plain = _AGGREGATE.sub(r"\1", type_name)
    if plain in _NUMBERS:
        return np.dtype(_NUMBERS[plain])
    if plain.startswith("DateTime64("):
        return np.dtype("<i8")
    fixed = _FIXED.fullmatch(plain)
    return np.dtype(f"V{fixed[1]}") if fixed else None


def encode_block(columns: Mapping[str, Column], types: Mapping[str, str]) -> bytes:
    """One block. ValueError when a column is of another length or type than its table's."""
    lengths = {name: len(column.codes if isinstance(column, Coded) else column) for name, column in columns.items()}
    rows = next(iter(lengths.values()), 0)
    if set(lengths.values()) - {rows}:
        raise ValueError(f"columns of different lengths: {lengths}")
    parts = [_varint(len(columns)), _varint(rows)]
    for name, column in columns.items():
        parts += [_text(name), _text(types[name]), _encode_column(name, column, types[name])]
    return b"".join(parts)


def _encode_column(name: str, column: Column, type_name: str) -> bytes:
    dtype = dtype_of(type_name)
    if dtype is not None:
        if not isinstance(column, np.ndarray) or (dtype.kind == "V") != (column.dtype.kind == "V"):
            raise ValueError(f"column {name} is not an array for {type_name}")
        if dtype.kind == "V" and column.dtype.itemsize != dtype.itemsize:
            raise ValueError(f"column {name} has {column.dtype.itemsize} bytes a row, not {dtype.itemsize}")
        return column.astype(dtype, copy=False).tobytes()
    if type_name == "String":
        if isinstance(column, (np.ndarray, Coded)):
            raise ValueError(f"column {name} is not a list of texts")
        return _texts(column)
    if type_name == "LowCardinality(String)":
        if not isinstance(column, Coded):
            raise ValueError(f"column {name} is not Coded")
        if len(column.codes) == 0:
            return b""
        return b"".join(
            [
                struct.pack("<QQQ", 1, _UINT32_INDEX | _DICTIONARY, len(column.texts)),
                *[_text(text) for text in column.texts],
                struct.pack("<Q", len(column.codes)),
                column.codes.astype("<u4", copy=False).tobytes(),
            ]
        )
    raise ValueError(f"column {name}: the type {type_name} is not written here")


def decode_blocks(data: bytes) -> tuple[dict[str, Array | list[str]], int]:
    """The columns of all blocks, one after another, and the number of rows."""
    parts: dict[str, list[Array | list[str]]] = {}
    position, total = 0, 0
    while position < len(data):
        count, position = _read_varint(data, position)
        rows, position = _read_varint(data, position)
        total += rows
        for _ in range(count):
            name, position = _read_text(data, position)
            type_name, position = _read_text(data, position)
            column, position = _decode_column(data, position, type_name, rows)
            parts.setdefault(name, []).append(column)
    return {name: _joined(columns) for name, columns in parts.items()}, total


def _joined(columns: list[Array | list[str]]) -> Array | list[str]:
    if len(columns) == 1:
        return columns[0]
    first = columns[0]
    if isinstance(first, list):
        return [text for column in columns for text in column]
    return np.concatenate([column for column in columns if not isinstance(column, list)])


def _decode_column(data: bytes, position: int, type_name: str, rows: int) -> tuple[Array | list[str], int]:
    dtype = dtype_of(type_name)
    if dtype is not None:
        end = position + rows * dtype.itemsize
        return np.frombuffer(data, dtype, rows, position), end
    plain = _AGGREGATE.sub(r"\1", type_name)
    if plain == "String":
        return _read_texts(data, position, rows)
    if plain == "LowCardinality(String)":
        if rows == 0:
            return [], position
        flags, size = struct.unpack_from("<QQ", data, position + 8)
        texts, position = _read_texts(data, position + 24, size)
        position += 8
        index = np.dtype(_INDEX_TYPES[flags & 0xFF])
        codes = np.frombuffer(data, index, rows, position)
        return [texts[code] for code in codes.tolist()], position + rows * index.itemsize
    raise ValueError(f"the type {type_name} is not read here")


def _read_texts(data: bytes, position: int, count: int) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        size = data[position]
        position += 1
        if size > 0x7F:
            size, position = _read_varint(data, position - 1)
        end = position + size
        texts.append(str(data[position:end], "utf-8", "surrogateescape"))
        position = end
    return texts, position


def _read_text(data: bytes, position: int) -> tuple[str, int]:
    texts, position = _read_texts(data, position, 1)
    return texts[0], position


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(value: str | bytes) -> bytes:
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return _varint(len(data)) + data


def _texts(values: Sequence[str] | Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    put = parts.append
    for value in values:
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        size = len(data)
        put(_SHORT[size] if size < 0x80 else _varint(size))
        if size:
            put(data)
    return b"".join(parts)


def rows_of(columns: Mapping[str, Sequence[object] | Array | Coded]) -> int:
    """The length of the columns."""
    for column in columns.values():
        return len(column.codes if isinstance(column, Coded) else column)
    return 0
