"""TFRecord framing: records of a file, in chunks, each proven by its checksum.

A record is its length (uint64), the length's masked CRC-32C, the content, and the content's masked CRC-32C. Where a
length is damaged, the next one whose CRC is right is searched for, so that what stands behind comes; a record whose
content is damaged is left out by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from fleetlog.importers import crc32c

CHUNK_BYTES = 4 * 1024 * 1024
"""Bytes that are read at once; a longer record is read whole."""
RECORD_BYTES = 256 * 1024 * 1024
"""Maximum content of a record; a longer one is passed over and reported."""
SHORT = 65_536
"""Lengths that are found all over a chunk at once."""
_HEAD = 12
_FOOT = 4
_SEARCHED = 65_536
"""Offsets at which a length is looked for at once."""

Ints = npt.NDArray[np.int64]
Report = Callable[[int, str], None]
"""Takes the offset in the file of what could not be read, and why."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records that stand whole in a piece of a file, in their order."""

    content: bytes
    offset: int
    """Offset in the file of the first byte."""
    starts: Ints
    """Where the contents of the records begin in this piece."""
    lengths: Ints

    def record(self, place: int) -> bytes:
        """Content of a record."""
        start = int(self.starts[place])
        return self.content[start : start + int(self.lengths[place])]

    def in_file(self, place: int) -> int:
        """Offset in the file of the record's content."""
        return self.offset + int(self.starts[place])


def chunks(file: BinaryIO, report: Report) -> Iterator[Chunk]:
    """Chunks of a file. What is damaged, and what is cut off at the end, is reported."""
    content, offset, wanted = b"", 0, CHUNK_BYTES
    while True:
        read = file.read(wanted)
        content += read
        framed = _frame(content)
        yield Chunk(content, offset, framed.starts, framed.lengths)
        content, offset, wanted = content[framed.end :], offset + framed.end, CHUNK_BYTES
        if framed.is_damaged:
            damaged = offset
            content, offset = _behind_damage(file, content, offset)
            report(damaged, f"a record's length is damaged: {offset - damaged:,} bytes are passed over")
        elif framed.wanted > RECORD_BYTES:
            report(offset, f"a record of {framed.wanted:,} bytes is passed over; at most {RECORD_BYTES:,} are read")
            content, offset = b"", offset + _HEAD + framed.wanted + _FOOT
            file.seek(offset)
        elif read:
            wanted = max(wanted, _HEAD + framed.wanted + _FOOT - len(content))
        else:
            if content:
                report(offset, f"the last record is cut off: {len(content):,} bytes of it are there")
            return


def _behind_damage(file: BinaryIO, content: bytes, offset: int) -> tuple[bytes, int]:
    """What has been read from the next length on whose CRC is right, and its offset; or the file's end."""
    position = 1
    while True:
        found = _search(content, position)
        if found is not None:
            return content[found:], offset + found
        read = file.read(CHUNK_BYTES)
        if not read:
            return b"", offset + len(content)
        kept = max(position, len(content) - _HEAD + 1)
        content, offset, position = content[kept:] + read, offset + kept, 0


def intact(chunk: Chunk, report: Report) -> Iterator[tuple[Ints, npt.NDArray[np.uint8]]]:
    """Records whose CRC is right, by length: their places in the chunk, and their contents as rows."""
    content = np.frombuffer(chunk.content, np.uint8)
    for length in np.unique(chunk.lengths).tolist():
        places = np.flatnonzero(chunk.lengths == length)
        if length > crc32c.BLOCK:
            rows_of = [(np.array([place]), _row(content, int(chunk.starts[place]), length)) for place in places]
        else:
            windows = np.lib.stride_tricks.sliding_window_view(content, length + _FOOT)
            rows_of = [(places, windows[chunk.starts[places]])]
        for some, rows in rows_of:
            stored = np.ascontiguousarray(rows[:, length:]).view("<u4")[:, 0]
            if length > crc32c.BLOCK:
                sums = np.array([crc32c.crc32c_of(rows[0, :length].tobytes())], np.uint32)
            else:
                sums = crc32c.crc32c(rows[:, :length])
            right = crc32c.masked(sums) == stored
            for place in some[~right].tolist():
                report(
                    chunk.in_file(place) - _HEAD, f"a record of {length:,} bytes is damaged: its checksum is another"
                )
            if right.all():
                yield some, rows[:, :length]
            elif right.any():
                yield some[right], rows[right, :length]


@dataclass(frozen=True, slots=True)
class _Framed:
    starts: Ints
    lengths: Ints
    end: int
    """Where the last whole record ends."""
    wanted: int = 0
    """Bytes of the content of the record behind it, which is not whole; 0 where not even its length is."""
    is_damaged: bool = False
    """True if the length behind it is damaged."""


def _frame(content: bytes) -> _Framed:
    """Whole records from the beginning of the content on.

    Lengths are found all over the content at once; where each leads to the next, they are records. What they leave
    open, such as a long record, is framed by itself.
    """
    heads, lengths_found = _short_lengths(content)
    ends = heads + (_HEAD + _FOOT) + lengths_found
    last_of_row = np.append(np.flatnonzero(ends[:-1] != heads[1:]), len(heads) - 1)
    starts: list[Ints] = [np.zeros(0, np.int64)]
    lengths: list[Ints] = [np.zeros(0, np.int64)]
    position, size, wanted, is_damaged = 0, len(content), 0, False
    while position + _HEAD <= size:
        first = int(np.searchsorted(heads, position))
        if first < len(heads) and heads[first] == position:
            last = int(last_of_row[np.searchsorted(last_of_row, first)])
            if ends[last] > size:
                last -= 1
            if last >= first:
                starts.append(heads[first : last + 1] + _HEAD)
                lengths.append(lengths_found[first : last + 1])
                position = int(ends[last])
                continue
        length = _length(content[position : position + _HEAD])
        if length is None:
            is_damaged = True
            break
        if position + _HEAD + length + _FOOT > size:
            wanted = length
            break
        starts.append(np.array([position + _HEAD]))
        lengths.append(np.array([length]))
        position += _HEAD + length + _FOOT
    all_starts, all_lengths = np.concatenate(starts), np.concatenate(lengths)
    if is_damaged and len(all_starts) and not _is_intact(content, int(all_starts[-1]), int(all_lengths[-1])):
        # Its content is damaged too, perhaps shortened: so the search begins within it.
        position = int(all_starts[-1]) - _HEAD
        all_starts, all_lengths = all_starts[:-1], all_lengths[:-1]
    return _Framed(all_starts, all_lengths, position, wanted, is_damaged)


def _short_lengths(content: bytes) -> tuple[Ints, Ints]:
    """Places of all lengths below SHORT whose CRC is right, and these lengths."""
    data = np.frombuffer(content, np.uint8)
    places = [np.zeros(0, np.int64)]
    for shift in range(8):
        words = data[shift : shift + max(0, len(data) - shift) // 8 * 8].view("<u8")
        places.append(np.flatnonzero(words < SHORT) * 8 + shift)
    found = np.sort(np.concatenate(places))
    found = found[found + _HEAD <= len(data)]
    if not len(found):
        return found, found
    heads = np.lib.stride_tricks.sliding_window_view(data, _HEAD)[found]
    lengths = np.ascontiguousarray(heads[:, :2]).view("<u2")[:, 0]
    is_right = np.ascontiguousarray(heads[:, 8:]).view("<u4")[:, 0] == _length_sums()[lengths]
    return found[is_right], lengths[is_right].astype(np.int64)


@cache
def _length_sums() -> npt.NDArray[np.uint32]:
    """Masked CRCs of the lengths below SHORT."""
    lengths = np.arange(SHORT, dtype="<u8")
    return crc32c.masked(crc32c.crc32c(lengths.view(np.uint8).reshape(SHORT, 8)))


def _length(head: bytes) -> int | None:
    stored = struct.unpack_from("<I", head, 8)[0]
    is_right = int(crc32c.masked(np.array([crc32c.crc32c_of(head[:8])], np.uint32))[0]) == stored
    return int(struct.unpack_from("<Q", head)[0]) if is_right else None


def _is_intact(content: bytes, start: int, length: int) -> bool:
    stored = struct.unpack_from("<I", content, start + length)[0]
    sums = np.array([crc32c.crc32c_of(content[start : start + length])], np.uint32)
    return bool(crc32c.masked(sums)[0] == stored)


def _search(content: bytes, position: int) -> int | None:
    """Place of the first length from there on whose CRC is right."""
    while position + _HEAD <= len(content):
        piece = np.frombuffer(content, np.uint8)[position : position + _SEARCHED + _HEAD - 1]
        rows = np.lib.stride_tricks.sliding_window_view(piece, _HEAD)
        stored = np.ascontiguousarray(rows[:, 8:]).view("<u4")[:, 0]
        found = np.flatnonzero(crc32c.masked(crc32c.crc32c(rows[:, :8])) == stored)
        for place in found.tolist():
            if struct.unpack_from("<Q", content, position + place)[0] <= RECORD_BYTES:
                return int(position + place)
        position += len(rows)
    return None


def _row(content: npt.NDArray[np.uint8], start: int, length: int) -> npt.NDArray[np.uint8]:
    return content[start : start + length + _FOOT].reshape(1, -1)
