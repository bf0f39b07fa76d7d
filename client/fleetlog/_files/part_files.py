"""Files that are being downloaded: written aside, and renamed when they are whole.

A part file is named by the digest of what it is to become, so that a download is gone on with only where it is of the
same bytes. It is locked while it is written: another process or thread that wants the same file gets a part file of
its own, and the last one that is whole replaces the others. Links and files of other users are never written to.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    from fcntl import LOCK_EX, LOCK_NB, flock

    HAS_LOCKS = True
except ImportError:
    # Windows: every download begins anew, in a part file of its own.
    HAS_LOCKS = False

BLOCK_BYTES = 1 << 20
_FLAGS = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_TRIES = 8


class PartFile:
    """A file of one process that grows to a whole one. OSError from every call."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def take_up(self, most_bytes: int) -> None:
        """Go on behind what is there of an earlier download; anew when that is more than `most_bytes`."""
        if os.fstat(self._descriptor).st_size > most_bytes:
            self.restart()
        while block := os.read(self._descriptor, BLOCK_BYTES):
            self._digest.update(block)
            self.size_bytes += len(block)

    def restart(self) -> None:
        """Forget what is there."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._digest, self.size_bytes = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Append."""
        left = memoryview(data)
        while left:
            written = os.write(self._descriptor, left)
            self._digest.update(left[:written])
            self.size_bytes += written
            left = left[written:]

    @property
    def sha256(self) -> bytes:
        """Digest of what is there."""
        return self._digest.digest()

    def become(self, target: Path) -> None:
        """Replace the target, also where it is a link: the link is replaced, not what it points to."""
        self._path.replace(target)

    def remove(self) -> None:
        """Leave nothing of it."""
        with suppress(FileNotFoundError):
            self._path.unlink()


@contextmanager
def part_file(target: Path, sha256: bytes, size_bytes: int) -> Iterator[PartFile]:
    """A part file beside the target, with what is there already of the same bytes. OSError.

    Nothing of it stays when nothing was written, or when another process holds the one that can be gone on with.
    """
    prefix = f".fleetlog-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"
    path = target.with_name(f"{prefix}{sha256.hex()[:32]}.part")
    descriptor, shared = (_own(path) if HAS_LOCKS else None), True
    for _ in range(_TRIES):
        if descriptor is not None:
            break
        path, shared = target.with_name(f"{prefix}{secrets.token_hex(16)}.part"), False
        descriptor = _own(path, exclusive=True)
    if descriptor is None:
        raise OSError(errno.EBUSY, "no part file can be made beside it", str(target))
    part = PartFile(descriptor, path)
    try:
        if shared:
            part.take_up(size_bytes)
        _remove_others(target.parent, prefix, path)
        yield part
    finally:
        # A part that became the target has another name by now.
        if not (shared and part.size_bytes) and _is_at(descriptor, path):
            part.remove()
        os.close(descriptor)


def _own(path: Path, *, exclusive: bool = False) -> int | None:
    """The file, opened and locked; None where it is a link, no plain file, somebody else's, or in use."""
    try:
        descriptor = os.open(path, _FLAGS | (os.O_EXCL if exclusive else 0), 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EEXIST, errno.EISDIR, errno.ENXIO, errno.EMLINK):
            return None
        if error.errno in (errno.EACCES, errno.EPERM) and os.path.lexists(path):
            return None
        raise
    found = os.fstat(descriptor)
    mine = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == _user(found)
    # A file that is new needs no lock where the file system has none: nobody else knows its name.
    if mine and _is_locked(descriptor, without_locks=exclusive) and _is_at(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def _user(found: os.stat_result) -> int:
    return os.geteuid() if hasattr(os, "geteuid") else found.st_uid


def _is_locked(descriptor: int, *, without_locks: bool) -> bool:
    """True if the file is locked now by this process alone; `without_locks` where there are no locks."""
    if not HAS_LOCKS:
        return without_locks
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without_locks
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """True if the file is still there under its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _remove_others(folder: Path, prefix: str, own: Path) -> None:
    """Remove part files of the same target that nobody writes: of older versions, and of processes that were killed."""
    if not HAS_LOCKS:
        return
    for path in folder.glob(f"{prefix}*.part"):
        if path == own or path.is_symlink():
            continue
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode) and _is_locked(descriptor, without_locks=False):
                    path.unlink()
            finally:
                os.close(descriptor)
