"""Texts of the Native format, each behind its length in bytes, and those lengths: seven bits a byte, lowest first.

What is not UTF-8 is kept as surrogate escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

_ONE_BYTE = 0x7F
"""The longest text whose length is one byte."""


def encode_varint(value: int) -> bytes:
    """A number that is not negative."""
    out = bytearray()
    while value > _ONE_BYTE:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at `position`, and where it ends."""
    value, shift = 0, 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte <= _ONE_BYTE:
            return value, position
        shift += 7


def encode_text(value: str) -> bytes:
    """One text."""
    data = _bytes_of(value)
    return encode_varint(len(data)) + data


def encode_texts(values: Sequence[str] | Sequence[bytes]) -> bytes:
    """One after another."""
    if not values:
        return b""
    data, sizes = _side_by_side(values)
    ends = np.cumsum(sizes)
    if sizes.max() > _ONE_BYTE:
        pieces = zip(sizes.tolist(), ends.tolist(), strict=True)
        return b"".join([part for size, end in pieces for part in (encode_varint(size), data[end - size : end])])
    # Each length is one byte: all of them are put in front of their texts at once.
    out = np.empty(len(data) + len(sizes), np.uint8)
    is_text = np.ones(len(out), np.bool_)
    is_text[ends - sizes + np.arange(len(sizes))] = False
    out[is_text] = np.frombuffer(data, np.uint8)
    out[~is_text] = sizes
    return out.tobytes()


def decode_texts(data: bytes, position: int, count: int) -> tuple[list[str], int]:
    """`count` texts from `position` on, and where they end."""
    texts = []
    for _ in range(count):
        size = data[position]
        position += 1
        if size > _ONE_BYTE:
            size, position = decode_varint(data, position - 1)
        end = position + size
        texts.append(str(data[position:end], "utf-8", "surrogateescape"))
        position = end
    return texts, position


def _side_by_side(values: Sequence[str] | Sequence[bytes]) -> tuple[bytes, npt.NDArray[np.int64]]:
    """The bytes of all texts (at least one), and how many each has."""
    encoded: Sequence[str] | Sequence[bytes] = values
    if isinstance(values[0], str):
        texts = cast(Sequence[str], values)
        joined = "".join(texts)
        if joined.isascii():
            # As many characters as bytes, and nearly all texts are such: a quarter of the time of one by one.
            return joined.encode("ascii"), _sizes(texts)
        encoded = list(map(_bytes_of, texts))
    return b"".join(cast(Sequence[bytes], encoded)), _sizes(encoded)


def _sizes(values: Sequence[str] | Sequence[bytes]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(len, values), np.int64, len(values))


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
