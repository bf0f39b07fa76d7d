"""Disks that fail: any of the journal's calls, when it is told to."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from fleetlog._journal.disk import Disk


class FailingDisk(Disk):
    """A disk whose calls of a kind raise the error that is set for it; "write" takes some bytes before."""

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.errors:
            raise OSError(self.errors[name], os.strerror(self.errors[name]))

    def create(self, path: Path) -> int:
        self._call("create")
        return super().create(path)

    def append_to(self, path: Path) -> int:
        self._call("append_to")
        return super().append_to(path)

    def write(self, file: int, data: memoryview) -> int:
        if "write" in self.errors and len(data) > 5:
            return super().write(file, data[:5])
        self._call("write")
        return super().write(file, data)

    def sync(self, file: int) -> None:
        self._call("sync")
        super().sync(file)

    def sync_folder(self, path: Path) -> None:
        self._call("sync_folder")
        super().sync_folder(path)

    def cut(self, file: int, size: int) -> None:
        self._call("cut")
        super().cut(file, size)

    def link(self, path: Path, target: Path) -> None:
        self._call("link")
        super().link(path, target)

    def rename(self, path: Path, target: Path) -> None:
        self._call("rename")
        super().rename(path, target)

    def remove(self, path: Path) -> None:
        self._call("remove")
        super().remove(path)


class FailingOnce(FailingDisk):
    """A disk of which one call fails: that with the number, from 0."""

    def __init__(self, number: int, error: int) -> None:
        super().__init__()
        self._number = number
        self._error = error

    def sync(self, file: int) -> None:
        """Nothing is waited for: no machine ends."""
        self._call("sync")

    def sync_folder(self, path: Path) -> None:
        self._call("sync_folder")

    def _call(self, name: str) -> None:
        number = len(self.calls)
        super()._call(name)
        if number == self._number:
            raise OSError(self._error, os.strerror(self._error))


FULL, BROKEN, READ_ONLY, NO_LINKS = errno.ENOSPC, errno.EIO, errno.EROFS, errno.EOPNOTSUPP
