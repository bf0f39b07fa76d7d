"""The object store as a folder: one file an object, written aside and renamed when it is whole."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fleetlog_core.objects.orphans import Listed
from fleetlog_core.objects.port import ObjectName, ObjectStoreUnavailable
from fleetlog_core.objects.verifying import verified
from fleetlog_core.unavailable import shortage_of

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO)


class FolderStore:
    """See ObjectStore and Sweepable. One process a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._uploads = path / ".uploads"
        self._uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in self._uploads.iterdir():
            leftover.unlink(missing_ok=True)

    def put(self, name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> None:
        """See ObjectStore."""
        with _told("written"), tempfile.NamedTemporaryFile(dir=self._uploads, delete=False) as file:
            scratch = Path(file.name)
            try:
                for chunk in verified(name, size_bytes, chunks):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                target = self._path / name.key()
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                scratch.replace(target)
                _sync(target.parent)
            finally:
                scratch.unlink(missing_ok=True)

    def size(self, name: ObjectName) -> int | None:
        """See ObjectStore."""
        with _told("read"):
            try:
                with self._open(name) as file:
                    return os.fstat(file.fileno()).st_size
            except KeyError:
                return None

    def read(self, name: ObjectName, offset_bytes: int = 0, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """See ObjectStore."""
        with _told("read"):
            file = self._open(name)
        return _chunks(file, offset_bytes, chunk_bytes)

    def _open(self, name: ObjectName) -> BinaryIO:
        """The object's file. KeyError where there is none: a link, or anything else, is no object of ours."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in name.key().split("/"):
                inner = os.open(part, _FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise KeyError(name.key())
            file = os.fdopen(descriptor, "rb")
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError) and error.errno in _NOT_THERE:
                self._must_be_there()
                raise KeyError(name.key()) from None
            raise
        return file

    def listed(self) -> Iterator[Listed]:
        """See Sweepable."""
        with _told("read"):
            for path in self._path.glob("*/*/*"):
                name = ObjectName.of_key(path.relative_to(self._path).as_posix())
                try:
                    found = path.lstat()
                except FileNotFoundError:
                    continue
                if name is not None and stat.S_ISREG(found.st_mode):
                    yield Listed(name, found.st_size, found.st_mtime_ns // 1_000_000)

    def remove(self, name: ObjectName, stored_before_millis: int) -> bool:
        """See Sweepable."""
        path = self._path / name.key()
        with _told("written"):
            try:
                if path.lstat().st_mtime_ns // 1_000_000 >= stored_before_millis:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    def drop_uploads(self, begun_before_millis: int) -> int:
        """See Sweepable. There are none: what a crash left was removed when the folder was opened."""
        return 0

    def close(self) -> None:
        """See ObjectStore."""

    def _must_be_there(self) -> None:
        """Raises ObjectStoreUnavailable when the folder is gone, as with a disk that is not mounted."""
        if not self._uploads.is_dir():
            raise ObjectStoreUnavailable("the folder is gone", shortage="its folder is not there")


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError) as error:
        why = getattr(error, "strerror", None) or "no memory"
        raise ObjectStoreUnavailable(f"the folder can't be {what}: {why}", shortage=shortage_of(error)) from error


def _chunks(file: BinaryIO, offset_bytes: int, chunk_bytes: int) -> Iterator[bytes]:
    with file, _told("read"):
        file.seek(offset_bytes)
        while chunk := file.read(chunk_bytes):
            yield chunk


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
