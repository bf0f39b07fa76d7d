"""Uploads by parts: the client writes them into the object store, the gateway hands out addresses and verifies.

The gateway keeps nothing: the store knows which parts are there. So any gateway goes on with any upload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from fleetlog_core.errors import FailedPrecondition, NotFound
from fleetlog_core.objects.direct import (
    PART_BYTES,
    DirectUploads,
    TakesUploads,
    UploadGone,
    UploadIncomplete,
    part_bytes_of,
    part_lengths,
)
from fleetlog_core.objects.port import DigestMismatch, ObjectStore
from fleetlog_proto.v1 import ingest_pb2

from fleetlog_ingest.gateway.uploads import checked_name, mismatch

PARTS_AT_ONCE = 20
"""Addresses in one answer: with the smallest parts 320 MiB, which slow networks take before the addresses expire."""


class PartUploads:
    """The three calls. They block."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._uploads: DirectUploads | None = objects.uploads if isinstance(objects, TakesUploads) else None

    def begin(self, request: ingest_pb2.BeginUploadRequest) -> ingest_pb2.BeginUploadResponse:
        """See the proto."""
        header = request.header
        name = checked_name(header)
        if self._objects.size(name) == header.size_bytes:
            return ingest_pb2.BeginUploadResponse(stored=True)
        if self._uploads is None or header.size_bytes <= PART_BYTES:
            return ingest_pb2.BeginUploadResponse()
        return ingest_pb2.BeginUploadResponse(upload_token=self._uploads.begin(name, header.size_bytes).token)

    def parts(self, request: ingest_pb2.GetUploadPartsRequest) -> ingest_pb2.GetUploadPartsResponse:
        """See the proto."""
        header, token = request.header, request.upload_token
        name = checked_name(header)
        with _told():
            uploads = self._taking()
            there = uploads.parts(name, token)
            lengths = part_lengths(header.size_bytes)
            missing = ((number, length) for number, length in lengths.items() if there.get(number) != length)
            part_bytes = part_bytes_of(header.size_bytes)
            return ingest_pb2.GetUploadPartsResponse(
                parts=[
                    ingest_pb2.UploadPart(
                        offset_bytes=(number - 1) * part_bytes, size_bytes=length, url=uploads.url(name, token, number)
                    )
                    for number, length in islice(missing, PARTS_AT_ONCE)
                ]
            )

    def complete(self, request: ingest_pb2.CompleteUploadRequest) -> ingest_pb2.CompleteUploadResponse:
        """See the proto."""
        name = checked_name(request.header)
        with _told():
            self._taking().complete(name, request.upload_token, request.header.size_bytes)
        return ingest_pb2.CompleteUploadResponse()

    def _taking(self) -> DirectUploads:
        if self._uploads is None:
            raise UploadGone
        return self._uploads


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except UploadGone as error:
        raise NotFound("UPLOAD_GONE", "upload_token: no such upload of these bytes; begin again") from error
    except UploadIncomplete as error:
        raise FailedPrecondition("UPLOAD_INCOMPLETE", f"{error}; ask for the parts and send them") from error
    except DigestMismatch as error:
        raise mismatch(error) from error
