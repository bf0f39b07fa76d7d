"""The object store as a bucket of an S3 store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from io import RawIOBase
from typing import TYPE_CHECKING, BinaryIO, cast

from minio.error import S3Error

from fleetlog_core.objects.orphans import Listed
from fleetlog_core.objects.port import ObjectName
from fleetlog_core.objects.s3_bucket import Bucket, is_code
from fleetlog_core.objects.s3_settings import S3Settings
from fleetlog_core.objects.s3_uploads import S3Uploads
from fleetlog_core.objects.verifying import verified

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

OBJECTS = "objects/"
PART_BYTES = 16 << 20
"""Bytes of one part of a put: parts are held in memory one at a time."""


class S3Store:
    """See ObjectStore and Sweepable; `uploads` are those that clients make themselves."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = Bucket(settings)
        self.uploads = S3Uploads(self._bucket, _key, self.size)

    def put(self, name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> None:
        """See ObjectStore. Nothing shows when the last part was not sent, and it is not sent before all is verified."""
        with self._bucket.told():
            if size_bytes == 0:
                # The driver would not look at them.
                chunks = list(verified(name, size_bytes, chunks))
            data = cast(BinaryIO, _Verified(name, size_bytes, chunks))
            part_bytes = max(PART_BYTES, -(-size_bytes // 10_000))
            self._bucket.client().put_object(
                self._bucket.name, _key(name), data, size_bytes, part_size=part_bytes, num_parallel_uploads=1
            )

    def size(self, name: ObjectName) -> int | None:
        """See ObjectStore."""
        with self._bucket.told():
            try:
                return self._bucket.client().stat_object(self._bucket.name, _key(name)).size
            except S3Error as error:
                if is_code(error, "NoSuchKey"):
                    return None
                raise

    def read(self, name: ObjectName, offset_bytes: int = 0, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """See ObjectStore."""
        with self._bucket.told():
            try:
                response = self._bucket.client().get_object(self._bucket.name, _key(name), offset_bytes)
            except S3Error as error:
                if is_code(error, "NoSuchKey"):
                    raise KeyError(name.key()) from None
                if is_code(error, "InvalidRange"):
                    return iter(())
                raise
        return self._chunks(response, chunk_bytes)

    def _chunks(self, response: BaseHTTPResponse, chunk_bytes: int) -> Iterator[bytes]:
        try:
            with self._bucket.told():
                while chunk := response.read(chunk_bytes):
                    yield chunk
            response.release_conn()
        finally:
            # Of an answer that was read to its end nothing is left to close.
            response.close()

    def listed(self) -> Iterator[Listed]:
        """See Sweepable."""
        with self._bucket.told():
            for one in self._bucket.client().list_objects(self._bucket.name, OBJECTS, recursive=True):
                name = ObjectName.of_key(one.object_name.removeprefix(OBJECTS))
                if name is not None:
                    yield Listed(name, one.size, _millis(one.last_modified))

    def remove(self, name: ObjectName, stored_before_millis: int) -> bool:
        """See Sweepable."""
        with self._bucket.told():
            client = self._bucket.client()
            try:
                found = client.stat_object(self._bucket.name, _key(name))
            except S3Error as error:
                if is_code(error, "NoSuchKey"):
                    return False
                raise
            # A header tells whole seconds, rounded down.
            if found.last_modified is None or _millis(found.last_modified) + 1000 > stored_before_millis:
                return False
            client.remove_object(self._bucket.name, _key(name))
            return True

    def drop_uploads(self, begun_before_millis: int) -> int:
        """See Sweepable."""
        return self.uploads.drop(begun_before_millis)

    def close(self) -> None:
        """See ObjectStore."""
        self._bucket.close()


class _Verified(RawIOBase):
    """The verified chunks as a file: the last bytes come when all of them are right."""

    def __init__(self, name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> None:
        self._chunks = verified(name, size_bytes, chunks)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = 0) -> bytes:
        # As much as is asked for, or all that is left: the driver would add up a part piece by piece.
        parts: list[memoryview] = []
        while size:
            if not self._held:
                self._held = memoryview(next(self._chunks, b""))
            if not self._held:
                break
            parts.append(self._held[:size])
            self._held = self._held[size:]
            size -= len(parts[-1])
        return b"".join(parts)


def _key(name: ObjectName) -> str:
    return OBJECTS + name.key()


def _millis(time: datetime) -> int:
    return int(time.timestamp() * 1000)
