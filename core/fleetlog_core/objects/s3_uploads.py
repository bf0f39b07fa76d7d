"""Uploads that clients make themselves, in a bucket: S3's multipart uploads with signed addresses.

The parts come together under `uploads/`, where nobody looks for objects. S3 knows no SHA-256 of an object that came in
parts, so it is read back; then the store copies it to where it shows.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from minio.commonconfig import ComposeSource
from minio.datatypes import Part
from minio.error import S3Error

from fleetlog_core.objects.direct import (
    MIB,
    Upload,
    UploadGone,
    UploadIncomplete,
    part_bytes_of,
    part_lengths,
)
from fleetlog_core.objects.port import DigestMismatch, ObjectName
from fleetlog_core.objects.s3_bucket import Bucket, is_code
from fleetlog_core.objects.verifying import verified

UPLOADS = "uploads/"
_GONE = ("NoSuchKey", "NoSuchUpload", "InvalidArgument")
_TOKEN = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9._~=+/-]{1,1024})")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an upload is: its key, and S3's own name for it."""

    key: str
    upload_id: str


class S3Uploads:
    """See DirectUploads. `shown_key` says where an object shows, `shown_size` whether it does."""

    def __init__(
        self, bucket: Bucket, shown_key: Callable[[ObjectName], str], shown_size: Callable[[ObjectName], int | None]
    ) -> None:
        self._bucket = bucket
        self._shown_key = shown_key
        self._shown_size = shown_size

    def begin(self, name: ObjectName, size_bytes: int) -> Upload:
        """See DirectUploads."""
        if size_bytes < 1:
            raise ValueError("size_bytes: an object without bytes has no parts; put it")
        unique = secrets.token_hex(16)
        with self._bucket.told():
            client = self._bucket.client()
            upload_id = client._create_multipart_upload(self._bucket.name, _key(name, unique), {})
        return Upload(f"{unique}.{upload_id}", part_bytes_of(size_bytes))

    def url(self, name: ObjectName, token: str, part: int) -> str:
        """See DirectUploads."""
        place = _place(name, token)
        return self._bucket.signed("PUT", place.key, {"uploadId": place.upload_id, "partNumber": str(part)})

    def parts(self, name: ObjectName, token: str) -> Mapping[int, int]:
        """See DirectUploads."""
        with self._bucket.told():
            return {part.part_number: part.size or 0 for part in self._parts(_place(name, token))}

    def complete(self, name: ObjectName, token: str, size_bytes: int) -> None:
        """See DirectUploads."""
        place = _place(name, token)
        if self._shown_size(name) == size_bytes:
            self.abort(name, token)
            return
        with self._bucket.told():
            client = self._bucket.client()
            etag = self._etag(place)
            if etag is None:
                parts = list(self._parts(place))
                _check_lengths(parts, size_bytes)
                client._complete_multipart_upload(self._bucket.name, place.key, place.upload_id, parts)
                etag = self._etag(place)
            if etag is None:
                raise UploadGone
            try:
                self._verify(name, place, size_bytes)
            except DigestMismatch:
                client.remove_object(self._bucket.name, place.key)
                raise
            # What was verified and nothing else.
            source = ComposeSource(self._bucket.name, place.key, match_etag=etag)
            client.compose_object(self._bucket.name, self._shown_key(name), [source])
            client.remove_object(self._bucket.name, place.key)

    def abort(self, name: ObjectName, token: str) -> None:
        """See DirectUploads."""
        place = _place(name, token)
        with self._bucket.told():
            client = self._bucket.client()
            try:
                client._abort_multipart_upload(self._bucket.name, place.key, place.upload_id)
            except S3Error as error:
                if not is_code(error, *_GONE):
                    raise
            client.remove_object(self._bucket.name, place.key)

    def drop(self, begun_before_millis: int) -> int:
        """End the uploads begun before then, and remove what a crash left between parts and object; how many.

        MinIO lists no uploads but those of one key, and ends them by itself after a day.
        """
        dropped = 0
        with self._bucket.told():
            client = self._bucket.client()
            for upload in client._list_multipart_uploads(self._bucket.name, prefix=UPLOADS).uploads:
                begun = upload.initiated_time
                if begun is not None and upload.upload_id and begun.timestamp() * 1000 < begun_before_millis:
                    client._abort_multipart_upload(self._bucket.name, upload.object_name, upload.upload_id)
                    dropped += 1
            for one in client.list_objects(self._bucket.name, UPLOADS, recursive=True):
                if one.last_modified.timestamp() * 1000 < begun_before_millis:
                    client.remove_object(self._bucket.name, one.object_name)
                    dropped += 1
        return dropped

    def _parts(self, place: _Place) -> Iterator[Part]:
        marker: str | None = None
        while True:
            try:
                found = self._bucket.client()._list_parts(
                    self._bucket.name, place.key, place.upload_id, part_number_marker=marker
                )
            except S3Error as error:
                if is_code(error, *_GONE):
                    raise UploadGone from error
                raise
            yield from found.parts
            marker = found.next_part_number_marker
            if not found.is_truncated or not marker:
                return

    def _etag(self, place: _Place) -> str | None:
        """ETag of the whole when the parts were put together already; None when not."""
        try:
            return self._bucket.client().stat_object(self._bucket.name, place.key).etag
        except S3Error as error:
            if is_code(error, "NoSuchKey"):
                return None
            raise

    def _verify(self, name: ObjectName, place: _Place, size_bytes: int) -> None:
        response = self._bucket.client().get_object(self._bucket.name, place.key)
        try:
            for _ in verified(name, size_bytes, response.stream(MIB)):
                pass
            response.release_conn()
        finally:
            response.close()


def _key(name: ObjectName, unique: str) -> str:
    return f"{UPLOADS}{name.key()}/{unique}"


def _place(name: ObjectName, token: str) -> _Place:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise UploadGone
    return _Place(_key(name, match[1]), match[2])


def _check_lengths(parts: list[Part], size_bytes: int) -> None:
    found = {part.part_number: part.size for part in parts}
    expected = part_lengths(size_bytes)
    wrong = [number for number in expected.keys() | found.keys() if found.get(number) != expected.get(number)]
    if wrong:
        raise UploadIncomplete(sorted(wrong))
