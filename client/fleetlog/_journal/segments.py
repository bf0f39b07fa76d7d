"""Segments of a journal: files that are appended to, and removed when the server answered for all that is in them.

active   the last one; what is appended goes there until it has SEGMENT_BYTES
sealed   full, or a write to it failed: nothing is appended any more
removed  each frame in it, and in those before it, has its answer
"""

from __future__ import annotations

import errno
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fleetlog._journal.disk import Disk
from fleetlog._journal.folders import segment_path
from fleetlog._journal.records import MAGIC

SEGMENT_BYTES = 8 * 1024 * 1024
"""Size from which on a segment is followed by another one."""
MIN_FREE_BYTES = 4 * 1024 * 1024
"""Bytes that are free on the disk when a segment is begun: less is a full disk."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record begins."""

    segment: int
    offset: int


@dataclass(slots=True)
class Segment:
    """One file. `file` is open for as long as something may have to be written or synced."""

    number: int
    path: Path
    file: int
    size: int = 0
    synced_size: int = 0
    """Bytes of it that are known to be on the disk."""
    last_serial: int = 0
    """Serial of the last frame in it."""


class Segments:
    """The segments of one folder. Not thread-safe; what fails, fails by OSError and leaves what was there."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._all: deque[Segment] = deque()
        self._sealed = True
        self.last_number = 0
        self.size = 0
        """Bytes of all of them."""

    def begin(self) -> None:
        """Have an active one."""
        if not self._sealed and self._all[-1].size < SEGMENT_BYTES:
            return
        if self._disk.free_bytes(self._folder) < MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        number = self.last_number + 1
        path = segment_path(self._folder, number)
        segment = Segment(number, path, self._disk.create(path))
        self.last_number = number
        self._all.append(segment)
        self._sealed = False
        try:
            self._write(segment, MAGIC)
        except OSError:
            self._all.pop()
            self._close(segment)
            with suppress(OSError):
                self._disk.remove(path)
            raise

    def append(self, data: bytes, last_serial: int | None = None) -> Place:
        """Append records to the active one, all or none; `last_serial` is that of the last frame among them."""
        self.begin()
        segment = self._all[-1]
        place = Place(segment.number, segment.size)
        self._write(segment, data)
        if last_serial is not None:
            segment.last_serial = last_serial
        return place

    def _write(self, segment: Segment, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._disk.write(segment.file, left) :]
        except BaseException:
            # What was written of it is no record. A reader may have seen it, so that nothing is put in its place.
            self._sealed = True
            with suppress(OSError):
                self._disk.cut(segment.file, segment.size)
            raise
        segment.size += len(data)
        self.size += len(data)

    def forget_below(self, serial: int) -> None:
        """Remove sealed ones whose frames all have serials below this one, and no frame of an earlier one is left."""
        while len(self._all) > 1 and self._all[0].last_serial < serial:
            segment = self._all.popleft()
            self.size -= segment.size
            self._close(segment)
            self._disk.remove(segment.path)

    def unsynced(self, serial: int) -> list[Segment]:
        """Segments with something that is not on the disk and, from this serial on, is needed."""
        return [one for one in self._all if one.synced_size < one.size and one.last_serial >= serial]

    def synced(self, segment: Segment, size: int) -> None:
        """So much of a segment is on the disk."""
        segment.synced_size = max(segment.synced_size, size)
        if segment.synced_size >= segment.size and (self._sealed or segment is not self._all[-1]):
            self._close(segment)

    def seal(self) -> None:
        """Append nothing more to the active one."""
        self._sealed = True

    def paths_from(self, number: int) -> list[Path]:
        """The files from a number on."""
        return [one.path for one in self._all if one.number >= number]

    def _close(self, segment: Segment) -> None:
        if segment.file >= 0:
            os.close(segment.file)
            segment.file = -1

    def close(self) -> None:
        """Close the files; they stay."""
        self._sealed = True
        for segment in self._all:
            self._close(segment)
