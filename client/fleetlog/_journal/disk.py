"""The one place where files of journals are written, so that a test can let any of its calls fail."""

from __future__ import annotations

import os
from pathlib import Path

_SAFE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_END = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _SAFE
_NEW = _END | os.O_EXCL


class Disk:
    """The system's calls. OSError, each of them."""

    def create(self, path: Path) -> int:
        """A new file, for nobody else to read; its descriptor. FileExistsError: it is another's."""
        return os.open(path, _NEW, 0o600)

    def append_to(self, path: Path) -> int:
        """The file to write behind its end, which may be new; its descriptor."""
        return os.open(path, _END, 0o600)

    def write(self, file: int, data: memoryview) -> int:
        """Bytes that the kernel took, at least one."""
        return os.write(file, data)

    def sync(self, file: int) -> None:
        """On the disk when it returns."""
        os.fsync(file)

    def sync_folder(self, path: Path) -> None:
        """The names in a folder are on the disk when it returns."""
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def cut(self, file: int, size: int) -> None:
        """Cut the file's end off."""
        os.ftruncate(file, size)

    def link(self, path: Path, target: Path) -> None:
        """Give a file one more name. FileExistsError: another has it."""
        target.hardlink_to(path)

    def rename(self, path: Path, target: Path) -> None:
        """Give a file its name, in the same folder."""
        path.rename(target)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone is no error."""
        path.unlink(missing_ok=True)

    def free_bytes(self, path: Path) -> int:
        """Bytes that a process of this user may still write there."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize
