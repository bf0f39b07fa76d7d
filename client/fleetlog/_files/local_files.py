"""Files of this machine as they are when they are logged: regular ones, read from one descriptor, never waited for."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetlog_core import limits
from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.printable import printable

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = {
    stat.S_IFDIR: "a folder: log it with log_artifacts",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


@dataclass(frozen=True)
class Digest:
    """Length and SHA-256 of bytes."""

    size_bytes: int
    sha256: bytes


class FileChanged(FailedPrecondition):
    """A file was rewritten or cut while it was read; what was read of it is of two versions."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "FILE_CHANGED", f"{printable(str(path))} was rewritten while it was read; log it when it is written"
        )


class LocalFile:
    """A regular file that is open. Reads name their place, so that several threads may read."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path

    def size(self) -> int:
        """Bytes that it has now."""
        return os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from an offset on, fewer only at the end of the file. OSError."""
        pieces: list[bytes] = []
        while size > 0:
            if hasattr(os, "pread"):
                piece = os.pread(self._descriptor, size, offset)
            else:
                with self.path.open("rb") as file:
                    file.seek(offset)
                    piece = file.read(size)
            if not piece:
                break
            pieces.append(piece)
            offset, size = offset + len(piece), size - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def chunks(self, size_bytes: int) -> Iterator[bytes]:
        """The first bytes, in chunks of at most 1 MiB. FileChanged when the file has become shorter; OSError."""
        offset = 0
        while offset < size_bytes:
            chunk = self.read_at(offset, min(limits.CHUNK_BYTES, size_bytes - offset))
            if not chunk:
                raise FileChanged(self.path)
            offset += len(chunk)
            yield chunk

    def digest(self, size_bytes: int) -> Digest:
        """Digest of the first bytes. FileChanged when there are fewer; OSError."""
        sha256 = hashlib.sha256()
        for chunk in self.chunks(size_bytes):
            sha256.update(chunk)
        return Digest(size_bytes, sha256.digest())


@contextmanager
def opened(path: Path, *, follow_link: bool = True) -> Iterator[LocalFile]:
    """The file. FailedPrecondition NOT_A_REGULAR_FILE for what is none, which is not opened; OSError."""
    # Before it is opened: opening alone wakes up the writer of a FIFO, or rewinds a tape.
    _check_regular(path.stat() if follow_link else path.lstat(), path)
    descriptor = os.open(path, _FLAGS | (0 if follow_link else getattr(os, "O_NOFOLLOW", 0)))
    try:
        _check_regular(os.fstat(descriptor), path)
        yield LocalFile(descriptor, path)
    finally:
        os.close(descriptor)


def _check_regular(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FailedPrecondition("NOT_A_REGULAR_FILE", f"{printable(str(path))} is {kind_of(found.st_mode)}")


def kind_of(mode: int) -> str:
    """What a path is that is no regular file, in words."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")
