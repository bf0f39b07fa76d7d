"""Files of a run: small ones travel as events, larger ones are uploaded first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fleetlog_core import limits
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from fleetlog._events.items import Writer
from fleetlog._files.local_files import Digest, FileChanged, LocalFile, opened
from fleetlog._files.multipart import uploaded_by_parts
from fleetlog._transport.connection import Connection
from fleetlog._transport.traces import trace_metadata
from fleetlog.errors import FleetlogError

UPLOAD_SECONDS = 3600.0
TRIES = 3
"""How often a file is read that is rewritten meanwhile."""


def artifact_event(
    connection: Connection, writer: Writer, path: Path, name: str, now_millis: int, *, follow_link: bool = True
) -> event_pb2.Event:
    """The event of a file as it is now; a file over 1 MiB is uploaded before. FleetlogError, OSError.

    What is written behind its end meanwhile is not of it. One that is rewritten is read again; FILE_CHANGED when that
    happens every time.
    """
    check_artifact_path(name, "name")
    with opened(path, follow_link=follow_link) as file:
        size = file.size()
        if size <= limits.INLINE_ARTIFACT_BYTES:
            # Files of the kernel have no length before they are read.
            content = file.read_at(0, size or limits.INLINE_ARTIFACT_BYTES)
            artifact = event_pb2.ArtifactLogged(
                path=name, size_bytes=len(content), sha256=hashlib.sha256(content).digest(), content=content
            )
        else:
            digest = _uploaded(connection, writer, file, name, size)
            artifact = event_pb2.ArtifactLogged(path=name, size_bytes=digest.size_bytes, sha256=digest.sha256)
    return event_pb2.Event(observe_time_millis=now_millis, artifact_logged=artifact)


def _uploaded(connection: Connection, writer: Writer, file: LocalFile, name: str, size_bytes: int) -> Digest:
    """What is in the object store now."""
    for _ in range(TRIES):
        try:
            digest = file.digest(size_bytes)
            header = _header(writer, name, digest)
            if not uploaded_by_parts(connection, header, file):
                _upload(connection, header, file)
            return digest
        except FleetlogError as error:
            if not isinstance(error, FileChanged) and error.reason != "DIGEST_MISMATCH":
                raise
            size_bytes = file.size()
    raise FileChanged(file.path)


def _header(writer: Writer, name: str, digest: Digest) -> ingest_pb2.UploadHeader:
    return ingest_pb2.UploadHeader(
        namespace=writer.namespace,
        run_id=writer.run_id.hex(),
        path=name,
        size_bytes=digest.size_bytes,
        sha256=digest.sha256,
    )


def _upload(connection: Connection, header: ingest_pb2.UploadHeader, file: LocalFile) -> None:
    unreadable: list[OSError | FileChanged] = []

    def requests() -> Iterator[ingest_pb2.UploadArtifactRequest]:
        yield ingest_pb2.UploadArtifactRequest(header=header)
        try:
            for chunk in file.chunks(header.size_bytes):
                yield ingest_pb2.UploadArtifactRequest(chunk=chunk)
        except (OSError, FileChanged) as error:
            # gRPC would print it and hide it. The server refuses what is cut short.
            unreadable.append(error)

    try:
        with connection.calling():
            connection.ingest.UploadArtifact(requests(), timeout=UPLOAD_SECONDS, metadata=trace_metadata())
    except FleetlogError:
        if unreadable:
            raise unreadable[0] from None
        raise
