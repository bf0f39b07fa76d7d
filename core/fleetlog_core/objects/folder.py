"""The object store as a folder: one file an object, written aside and renamed when it is whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from fleetlog_core.objects.port import DigestMismatch, ObjectName, ObjectStoreUnavailable


class FolderStore:
    """See ObjectStore."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._uploads = path / ".uploads"
        self._uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in self._uploads.iterdir():
            leftover.unlink(missing_ok=True)

    def put(self, name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> None:
        """See ObjectStore."""
        try:
            with tempfile.NamedTemporaryFile(dir=self._uploads, delete=False) as file:
                scratch = Path(file.name)
                try:
                    digest, size = hashlib.sha256(), 0
                    for chunk in chunks:
                        size += len(chunk)
                        if size > size_bytes:
                            raise DigestMismatch(f"more than the declared {size_bytes:,} bytes")
                        digest.update(chunk)
                        file.write(chunk)
                    if size != size_bytes:
                        raise DigestMismatch(f"{size:,} bytes; {size_bytes:,} were declared")
                    if digest.digest() != name.sha256:
                        raise DigestMismatch("the SHA-256 of the bytes is not the declared one")
                    file.flush()
                    os.fsync(file.fileno())
                    target = self._path / name.key()
                    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    scratch.replace(target)
                    _sync(target.parent)
                finally:
                    scratch.unlink(missing_ok=True)
        except OSError as error:
            raise ObjectStoreUnavailable(f"the folder can't be written: {error.strerror}") from error

    def size(self, name: ObjectName) -> int | None:
        """See ObjectStore."""
        try:
            return (self._path / name.key()).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: ObjectName, offset_bytes: int = 0, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """See ObjectStore."""
        try:
            file = (self._path / name.key()).open("rb")
        except FileNotFoundError:
            raise KeyError(name.key()) from None
        return _chunks(file, offset_bytes, chunk_bytes)

    def close(self) -> None:
        """See ObjectStore."""


def _chunks(file: BinaryIO, offset_bytes: int, chunk_bytes: int) -> Iterator[bytes]:
    with file:
        file.seek(offset_bytes)
        while chunk := file.read(chunk_bytes):
            yield chunk


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
