"""Framing of W&B's .wandb files: LevelDB's log format, in blocks, with CRC-32 of each piece.

A record is one piece, or a first, middle ones and a last, of which none crosses a block. A damaged piece costs the
record that it is of: reading goes on with the piece behind it if that is whole, else with the next block.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

RECORD_BYTES = 256 * 1024 * 1024
"""Maximum content of a record; a longer one is passed over and reported."""
HEADER = b":W&B\xe1\xbe"
HEADER_BYTES = 7
BLOCK_BYTES = 32_768
VERSIONS = (0, 1)
_HEAD = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_TYPE_SUMS = {kind: zlib.crc32(bytes([kind])) for kind in (_FULL, _FIRST, _MIDDLE, _LAST)}

Report = Callable[[int, str], None]
"""Takes the offset in the file of what could not be read, and why."""
Piece = tuple[int, int, bytes]
"""Offset, kind and content."""


def records(file: BinaryIO, report: Report) -> Iterator[tuple[int, bytes]]:
    """Offsets and contents of the records, in their order."""
    header = file.read(HEADER_BYTES)
    if not header.startswith(HEADER) or len(header) < HEADER_BYTES:
        report(0, "it does not begin as W&B's files do")
        return
    if header[-1] not in VERSIONS:
        report(HEADER_BYTES - 1, f"it is of version {header[-1]} of the format; {VERSIONS[-1]} is the last one known")
        return
    begin, size = 0, 0
    parts: list[bytes] = []
    for offset, kind, content in itertools.chain.from_iterable(_blocks(file, report)):
        if parts and kind in (_FULL, _FIRST):
            report(begin, "the end of a record is missing")
            parts = []
        if kind == _FULL:
            yield offset, content
        elif kind == _FIRST:
            begin, parts, size = offset, [content], len(content)
        elif parts:
            size += len(content)
            if size > RECORD_BYTES:
                report(begin, f"a record of more than {RECORD_BYTES:,} bytes is passed over")
                parts = []
                continue
            parts.append(content)
            if kind == _LAST:
                yield begin, b"".join(parts)
                parts = []
    if parts:
        report(begin, "the last record is cut off")


def _blocks(file: BinaryIO, report: Report) -> Iterator[list[Piece]]:
    offset = HEADER_BYTES
    while block := file.read(BLOCK_BYTES - offset % BLOCK_BYTES):
        yield _of_block(block, offset, report, is_last=len(block) < BLOCK_BYTES - offset % BLOCK_BYTES)
        offset += len(block)


def _of_block(block: bytes, offset: int, report: Report, *, is_last: bool) -> list[Piece]:
    found: list[Piece] = []
    at = 0
    while at + _HEAD.size <= len(block):
        content = _whole(block, at)
        if content is None:
            length = _HEAD.unpack_from(block, at)[1]
            behind = at + _HEAD.size + length
            if behind > len(block) and is_last:
                report(offset + at, f"the last record is cut off: {len(block) - at:,} bytes of it are there")
                return found
            if not any(block[at:]):
                report(offset + at, f"{len(block) - at:,} bytes of zeros")
                return found
            is_whole_behind = behind + _HEAD.size <= len(block) and _whole(block, behind) is not None
            skipped = (behind if is_whole_behind else len(block)) - at
            report(offset + at, f"damaged: its checksum is another; {skipped:,} bytes are passed over")
            at += skipped
            continue
        found.append((offset + at, block[at + 6], content))
        at += _HEAD.size + len(content)
    if any(block[at:]):
        report(offset + at, f"{len(block) - at:,} bytes that are no record")
    return found


def _whole(block: bytes, at: int) -> bytes | None:
    """Content of the piece that stands there; None if it is damaged or not all of it is there."""
    stored, length, kind = _HEAD.unpack_from(block, at)
    content = block[at + _HEAD.size : at + _HEAD.size + length]
    if kind not in _TYPE_SUMS or len(content) < length or zlib.crc32(content, _TYPE_SUMS[kind]) != stored:
        return None
    return content
