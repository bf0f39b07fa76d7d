"""Files of a run: small ones travel as events, larger ones are uploaded first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleetlog_core import limits
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from fleetlog.connection import Connection
from fleetlog.direct import uploaded_by_parts
from fleetlog.errors import FleetlogError
from fleetlog.outbox import Writer
from fleetlog.traces import trace_metadata

UPLOAD_SECONDS = 3600.0


@dataclass(frozen=True)
class Digest:
    """Length and SHA-256 of a file."""

    size_bytes: int
    sha256: bytes


def digest_of(path: Path) -> Digest:
    """Read the file once."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").digest()
        return Digest(file.tell(), sha256)


def files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below a folder with its path relative to it, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.relative_to(folder).as_posix()


def artifact_event(connection: Connection, writer: Writer, path: Path, name: str, now_millis: int) -> event_pb2.Event:
    """The event of a file; a file over 1 MiB is uploaded before. FleetlogError, OSError."""
    if path.stat().st_size <= limits.INLINE_ARTIFACT_BYTES:
        content = path.read_bytes()
        if len(content) <= limits.INLINE_ARTIFACT_BYTES:
            artifact = event_pb2.ArtifactLogged(
                path=name, size_bytes=len(content), sha256=hashlib.sha256(content).digest(), content=content
            )
            return event_pb2.Event(observe_time_millis=now_millis, artifact_logged=artifact)
    digest = digest_of(path)
    header = _header(writer, name, digest)
    if not uploaded_by_parts(connection, header, path):
        _upload(connection, header, path)
    artifact = event_pb2.ArtifactLogged(path=name, size_bytes=digest.size_bytes, sha256=digest.sha256)
    return event_pb2.Event(observe_time_millis=now_millis, artifact_logged=artifact)


def _header(writer: Writer, name: str, digest: Digest) -> ingest_pb2.UploadHeader:
    return ingest_pb2.UploadHeader(
        namespace=writer.namespace,
        run_id=writer.run_id.hex(),
        path=name,
        size_bytes=digest.size_bytes,
        sha256=digest.sha256,
    )


def _upload(connection: Connection, header: ingest_pb2.UploadHeader, path: Path) -> None:
    unreadable: list[OSError] = []

    def requests() -> Iterator[ingest_pb2.UploadArtifactRequest]:
        yield ingest_pb2.UploadArtifactRequest(header=header)
        try:
            with path.open("rb") as file:
                while chunk := file.read(limits.CHUNK_BYTES):
                    yield ingest_pb2.UploadArtifactRequest(chunk=chunk)
        except OSError as error:
            # gRPC would print it and hide it. The server refuses what is cut short.
            unreadable.append(error)

    try:
        with connection.calling():
            connection.ingest.UploadArtifact(requests(), timeout=UPLOAD_SECONDS, metadata=trace_metadata())
    except FleetlogError:
        if unreadable:
            raise unreadable[0] from None
        raise
