"""CRC-32C (Castagnoli), as TFRecord files have it, of many byte strings at once.

A CRC is linear: what a byte adds to it depends on the byte and on its distance from the end alone. So the CRCs of many
strings of one length are one look-up in a table for each place, over all of them; a long string is a matrix of blocks
whose CRCs are put together in pairs.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.uint32]

BLOCK = 512
"""Bytes of which each place has a table of its own; a power of two."""
_POLYNOMIAL = 0x82F63B78
_ALL = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8


def crc32c(rows: Bytes) -> Sums:
    """CRCs of the rows of a matrix, which are strings of one length of up to BLOCK bytes each."""
    count, length = rows.shape
    return np.uint32(_ALL) ^ (_linear(rows) ^ np.uint32(_shifted_start(length))) if count else np.zeros(0, np.uint32)


def crc32c_of(content: bytes | memoryview) -> int:
    """CRC of one string of any length."""
    length = len(content)
    blocks = -(-length // BLOCK)
    padded = np.zeros(blocks * BLOCK, np.uint8)
    padded[blocks * BLOCK - length :] = np.frombuffer(content, np.uint8)  # zeros in front add nothing
    sums = _linear(padded.reshape(blocks, BLOCK))
    power = BLOCK.bit_length() - 1
    while len(sums) > 1:
        if len(sums) % 2:
            sums = np.concatenate([np.zeros(1, np.uint32), sums])
        sums = _apply(_shift(power), sums[::2]) ^ sums[1::2]
        power += 1
    return _ALL ^ (int(sums[0]) if len(sums) else 0) ^ _shifted_start(length)


def masked(sums: Sums) -> Sums:
    """CRCs as TFRecord files store them."""
    return ((sums >> np.uint32(15)) | (sums << np.uint32(17))) + np.uint32(_MASK_DELTA)


def _linear(rows: Bytes) -> Sums:
    """CRCs without what their start and their end add."""
    count, length = rows.shape
    tables = _tables()
    sums = np.zeros(count, np.uint32)
    for place, column in enumerate(np.ascontiguousarray(rows.T)):
        sums ^= tables[length - 1 - place].take(column)
    return sums


@cache
def _tables() -> Sums:
    """What a byte adds to a CRC, by its distance from the end, and by its value."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    tables = np.empty((BLOCK, 256), np.uint32)
    tables[0] = table
    for distance in range(1, BLOCK):
        before = tables[distance - 1]
        tables[distance] = (before >> np.uint32(8)) ^ table[before & 0xFF]
    return tables


@cache
def _shift(power: int) -> Sums:
    """What 2 ** power zero bytes make of each byte of a CRC: one table for each of its four bytes."""
    if power == 0:
        values = np.arange(256, dtype=np.uint32)
        first = _tables()[0]
        return np.stack([first, values, values << np.uint32(8), values << np.uint32(16)])
    half = _shift(power - 1)
    return np.stack([_apply(half, table) for table in half])


def _apply(shift: Sums, sums: Sums) -> Sums:
    found: Sums = shift[0][sums & 0xFF]
    for byte in range(1, 4):
        found = found ^ shift[byte][(sums >> np.uint32(8 * byte)) & 0xFF]
    return found


@lru_cache(maxsize=4_096)
def _shifted_start(length: int) -> int:
    """What a CRC starts with, behind a string of that length."""
    start = np.array([_ALL], np.uint32)
    power = 0
    while length:
        if length & 1:
            start = _apply(_shift(power), start)
        length >>= 1
        power += 1
    return int(start[0])
