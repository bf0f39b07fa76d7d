"""ClickHouse's Native format, both ways: blocks of columns, each column's values side by side.

A block is: number of columns and of rows (varints); for each column its name, its type (strings: varint length and
bytes) and its data. Numbers are little-endian arrays, FixedString(N) is N bytes a row, String is length and
bytes a row. LowCardinality(String) is a dictionary and indexes: u64 version 1, u64 flags (index width in the low
byte, 0x200 = has its own dictionary), u64 dictionary size, the dictionary, u64 rows, the indexes.

Over a connection (`flagged`) a byte follows each type: 0, or 1 and the kind of serialization. Of these only sparse
(1) is sent to a client: gaps between the values that are not the default, then these values alone.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fleetlog_core.warehouse.native_texts import decode_texts, decode_varint, encode_text, encode_texts, encode_varint
from fleetlog_core.warehouse.port import Array, Coded, Column, Read

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
_SPARSE = 1
_END_OF_GRANULE = 1 << 62


class NotReadHere(ValueError):
    """An answer has a type, or a form of one, that this package does not read: the statement asks for it in vain."""


@dataclass(frozen=True, slots=True)
class Block:
    """Columns of one length, and their types, by name."""

    columns: dict[str, Read]
    types: dict[str, str]
    rows: int


class Source(Protocol):
    """Where blocks are read from, front to back."""

    def read(self, size_bytes: int) -> bytes | memoryview:
        """Exactly so many bytes."""
        ...

    def varint(self) -> int:
        """A number of seven bits a byte, lowest first."""
        ...

    def texts(self, count: int) -> list[str]:
        """Texts, each behind its length in bytes; what is not UTF-8 as surrogate escapes."""
        ...


class Memory:
    """A Source of bytes that are all there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._position = 0

    def __bool__(self) -> bool:
        """Whether there is more."""
        return self._position < len(self._data)

    def read(self, size_bytes: int) -> memoryview:
        """See Source."""
        self._position += size_bytes
        return self._view[self._position - size_bytes : self._position]

    def varint(self) -> int:
        """See Source."""
        value, self._position = decode_varint(self._data, self._position)
        return value

    def texts(self, count: int) -> list[str]:
        """See Source."""
        texts, self._position = decode_texts(self._data, self._position, count)
        return texts


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
    return b"".join(encode_parts(columns, types))


def encode_parts(columns: Mapping[str, Column], types: Mapping[str, str], *, flagged: bool = False) -> list[bytes]:
    """One block in pieces, which are not joined because they may be large. Errors as of `encode_block`."""
    lengths = {name: len(column.codes if isinstance(column, Coded) else column) for name, column in columns.items()}
    rows = next(iter(lengths.values()), 0)
    if set(lengths.values()) - {rows}:
        raise ValueError(f"columns of different lengths: {lengths}")
    parts = [encode_varint(len(columns)), encode_varint(rows)]
    for name, column in columns.items():
        parts += [encode_text(name), encode_text(types[name]), b"\0" if flagged else b""]
        parts.append(_encode_column(name, column, types[name]))
    return parts


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
        return encode_texts(column)
    if type_name == "LowCardinality(String)":
        if not isinstance(column, Coded):
            raise ValueError(f"column {name} is not Coded")
        if len(column.codes) == 0:
            return b""
        return b"".join(
            [
                struct.pack("<QQQ", 1, _UINT32_INDEX | _DICTIONARY, len(column.texts)),
                *[encode_text(text) for text in column.texts],
                struct.pack("<Q", len(column.codes)),
                column.codes.astype("<u4", copy=False).tobytes(),
            ]
        )
    raise ValueError(f"column {name}: the type {type_name} is not written here")


def decode_blocks(data: bytes) -> tuple[dict[str, Read], int]:
    """The columns of all blocks, one after another, and the number of rows."""
    source, blocks = Memory(data), []
    while source:
        blocks.append(decode_block(source))
    return joined(blocks)


def decode_block(source: Source, *, flagged: bool = False) -> Block:
    """The next block. ValueError for a type that is not read here."""
    count, rows = source.varint(), source.varint()
    columns: dict[str, Read] = {}
    types: dict[str, str] = {}
    for _ in range(count):
        name, type_name = source.texts(2)
        types[name] = type_name
        sparse = flagged and source.read(1)[0] != 0
        if sparse and (kind := source.read(1)[0]) != _SPARSE:
            raise NotReadHere(f"column {name}: serialization {kind} is not read here")
        decode = _decode_sparse if sparse else _decode_column
        columns[name] = decode(source, type_name, rows)
    return Block(columns, types, rows)


def joined(blocks: Sequence[Block]) -> tuple[dict[str, Read], int]:
    """The blocks as one: its columns and the number of rows. Without rows there are no columns."""
    full = [block for block in blocks if block.rows]
    names = full[0].columns if full else ()
    return {name: _joined([block.columns[name] for block in full]) for name in names}, sum(b.rows for b in full)


def _joined(columns: list[Read]) -> Read:
    if len(columns) == 1:
        return columns[0]
    first = columns[0]
    if isinstance(first, list):
        return [text for column in columns if isinstance(column, list) for text in column]
    if isinstance(first, Coded):
        return _joined_codes([column for column in columns if isinstance(column, Coded)])
    return np.concatenate([column for column in columns if isinstance(column, np.ndarray)])


def _joined_codes(columns: list[Coded]) -> Coded:
    """Each block has a dictionary of its own: texts get one code for all."""
    known: dict[str, int] = {}
    parts = []
    for column in columns:
        codes = [known.setdefault(text, len(known)) for text in column.texts]
        parts.append(np.array(codes, np.uint32)[column.codes])
    return Coded(np.concatenate(parts), list(known))


def _decode_column(source: Source, type_name: str, rows: int) -> Read:
    dtype = dtype_of(type_name)
    if dtype is not None:
        return np.frombuffer(source.read(rows * dtype.itemsize), dtype, rows)
    plain = _AGGREGATE.sub(r"\1", type_name)
    if plain == "String":
        return source.texts(rows)
    if plain == "LowCardinality(String)":
        if rows == 0:
            return Coded(np.empty(0, np.uint32), [])
        _, flags, size = struct.unpack("<QQQ", source.read(24))
        texts = source.texts(size)
        source.read(8)
        index = np.dtype(_INDEX_TYPES[flags & 0xFF])
        codes = np.frombuffer(source.read(rows * index.itemsize), index, rows)
        return Coded(codes.astype(np.uint32), texts)
    raise NotReadHere(f"the type {type_name} is not read here")


def _decode_sparse(source: Source, type_name: str, rows: int) -> Read:
    """Each gap counts the defaults before a value; the last one, marked, those after all."""
    places, place, gap = [], 0, 0 if rows else _END_OF_GRANULE
    while not gap & _END_OF_GRANULE:
        gap = source.varint()
        place += gap & ~_END_OF_GRANULE
        if not gap & _END_OF_GRANULE:
            places.append(place)
            place += 1
    values = _decode_column(source, type_name, len(places))
    if isinstance(values, Coded):
        values = [values.texts[code] for code in values.codes.tolist()]
    if isinstance(values, list):
        texts = [""] * rows
        for at, text in zip(places, values, strict=True):
            texts[at] = text
        return texts
    full = np.zeros(rows, values.dtype)
    full[places] = values
    return full


def rows_of(columns: Mapping[str, Sequence[object] | Array | Coded]) -> int:
    """The length of the columns."""
    for column in columns.values():
        return len(column.codes if isinstance(column, Coded) else column)
    return 0
