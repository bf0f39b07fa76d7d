"""Pages of a table in a file of SQLite, by the format that it documents (sqlite.org/fileformat2.html). Read alone.

The mark: 500,000 points a second of a store that is SQLite's, where Python's module takes 1.1 µs a row of five values.
Who reads has a statement of SQLite open meanwhile: its lock keeps the file as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

SPARE = 512
"""Bytes of zeros behind pages, so that who reads a few bytes too many reads no others."""
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_SCHEMA = slice(40, 44)
"""Place in the header of a number that is another after each change of a table."""
_WAL = 2
_UTF8 = 1
_INTERIOR, _LEAF = 5, 13
_INTERIOR_HEAD, _LEAF_HEAD = 12, 8
_DEPTH = 20
"""Maximum depth of a tree, as SQLite has it."""
_opened: dict[tuple[int, int], int] = {}
"""Descriptors by device and inode. They stay open: to close one drops the locks that SQLite has on the file for every
connection of the process."""


class UnusualPagesError(Exception):
    """Pages hold what is left to SQLite to read."""


class PageFile:
    """A file of SQLite."""

    def __init__(self, path: Path) -> None:
        """OSError; UnusualPagesError: it is to be read by SQLite."""
        if not hasattr(os, "pread"):
            raise UnusualPagesError
        self._path = path
        self._file = _descriptor(path)
        self._schema = b""
        self.check()

    def check(self) -> None:
        """Look whether all of the database is in this file, and how. UnusualPagesError: not so."""
        header = os.pread(self._file, _HEADER_BYTES, 0)
        found, now = os.fstat(self._file), self._path.stat()
        if (found.st_dev, found.st_ino) != (now.st_dev, now.st_ino) or not header.startswith(_MAGIC):
            raise UnusualPagesError
        if self._schema not in (b"", header[_SCHEMA]):
            raise UnusualPagesError
        self._schema = header[_SCHEMA]
        if header[59] != _UTF8 or any(header[56:59]):
            raise UnusualPagesError
        if _WAL in (header[18], header[19]):
            # With nothing in its log, a reader's lock keeps others from writing to the file itself.
            log = Path(f"{self._path}-wal")
            if log.exists() and log.stat().st_size:
                raise UnusualPagesError
        size = int.from_bytes(header[16:18], "big")
        self.page_bytes = 65_536 if size == 1 else size
        self.most_payload = self.page_bytes - header[20] - 35
        """Maximum bytes of a record that stands whole in its page."""

    def leaves(self, root: int, first: int, last: int) -> Iterator[int]:
        """Numbers of the pages that have the rows of a table with ids from first to last, in their order."""
        return self._leaves(root, first, last, _DEPTH)

    def read(self, numbers: list[int]) -> Bytes:
        """Returns pages, one behind another, and SPARE bytes."""
        size = self.page_bytes
        found = np.zeros(len(numbers) * size + SPARE, np.uint8)
        view = memoryview(found)  # type: ignore[arg-type]
        place = 0
        while place < len(numbers):
            end = place + 1
            while end < len(numbers) and numbers[end] == numbers[end - 1] + 1:
                end += 1
            wanted = (end - place) * size
            if os.preadv(self._file, [view[place * size : end * size]], (numbers[place] - 1) * size) != wanted:
                raise UnusualPagesError
            place = end
        return found

    def cells(self, pages: Bytes) -> Ints:
        """Where the cells of leaves begin, in their order."""
        count = (len(pages) - SPARE) // self.page_bytes
        rows = pages[: count * self.page_bytes].reshape(count, self.page_bytes)
        if (rows[:, 0] != _LEAF).any():
            raise UnusualPagesError
        counts = rows[:, 3].astype(np.int64) << 8 | rows[:, 4]
        most = int(counts.max(initial=0))
        if _LEAF_HEAD + 2 * most > self.page_bytes:
            raise UnusualPagesError
        places = np.ascontiguousarray(rows[:, _LEAF_HEAD : _LEAF_HEAD + 2 * most]).view(">u2").astype(np.int64)
        if (places >= self.page_bytes).any():
            raise UnusualPagesError
        places += (np.arange(count) * self.page_bytes)[:, None]
        return places[np.arange(most) < counts[:, None]]

    def _leaves(self, number: int, first: int, last: int, depth: int) -> Iterator[int]:
        page = os.pread(self._file, self.page_bytes, (number - 1) * self.page_bytes)
        if number == 1 or len(page) < self.page_bytes or not depth:
            raise UnusualPagesError
        if page[0] == _LEAF:
            yield number
            return
        if page[0] != _INTERIOR:
            raise UnusualPagesError
        children = self._children(page, first, last)
        # Of one page all children are pages of the same kind.
        if children and self._kind(children[0]) == _LEAF:
            yield from children
            return
        for child in children:
            yield from self._leaves(child, first, last, depth - 1)

    def _kind(self, number: int) -> int:
        found = os.pread(self._file, 1, (number - 1) * self.page_bytes)
        return found[0] if found else 0

    def _children(self, page: bytes, first: int, last: int) -> list[int]:
        """Pages below an interior one, but for those whose rows are all before the first or behind the last."""
        found: list[int] = []
        for cell in np.frombuffer(page, ">u2", int.from_bytes(page[3:5], "big"), _INTERIOR_HEAD).tolist():
            key = _varint(page, cell + 4)
            if key >= first:
                found.append(int.from_bytes(page[cell : cell + 4], "big"))
            if key >= last:
                return found
        found.append(int.from_bytes(page[8:12], "big"))
        return found


def is_sqlite(path: Path) -> bool:
    """True if a file begins as SQLite's do. OSError."""
    if hasattr(os, "pread"):
        return os.pread(_descriptor(path), len(_MAGIC), 0) == _MAGIC
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _descriptor(path: Path) -> int:
    is_of = path.stat()
    found = _opened.get((is_of.st_dev, is_of.st_ino))
    if found is None:
        found = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        opened = os.fstat(found)
        _opened[opened.st_dev, opened.st_ino] = found
    return found


def _varint(content: bytes, at: int) -> int:
    number = 0
    for place in range(9):
        byte = content[at + place]
        number = number << 8 | byte if place == 8 else number << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return number - (1 << 64) if number >= 1 << 63 else number
