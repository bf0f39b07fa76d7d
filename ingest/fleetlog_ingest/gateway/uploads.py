"""UploadArtifact: bytes into the object store, digest and size verified before anything refers to them."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor

from fleetlog_core import limits
from fleetlog_core.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from fleetlog_core.ids import parse_id
from fleetlog_core.objects.port import DigestMismatch, ObjectName, ObjectStore
from fleetlog_core.rules.events import check_size_and_digest
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_core.serving.errors import refuse_undecodable
from fleetlog_proto.v1 import ingest_pb2

CHUNKS_WAITING = 8
STALL_SECONDS = 60.0
"""An upload that brings nothing for so long is ended: it holds a thread and a file."""


class _Broken(Exception):
    """The client went away in the middle."""


def _chunks(waiting: queue.Queue[bytes | _Broken | None]) -> Iterator[bytes]:
    while True:
        chunk = waiting.get()
        if chunk is None:
            return
        if isinstance(chunk, _Broken):
            raise chunk
        yield chunk


async def upload(
    requests: AsyncIterator[ingest_pb2.UploadArtifactRequest],
    objects: ObjectStore,
    executor: Executor,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Take one upload. FAILED_PRECONDITION DIGEST_MISMATCH: the bytes are not the declared ones.

    DEADLINE_EXCEEDED UPLOAD_STALLED: nothing came for `stall_seconds`. The executor's threads are held meanwhile.
    """
    arriving = aiter(requests)
    first = await _next(arriving, stall_seconds)
    refuse_undecodable(first)
    if first is None or not first.HasField("header"):
        raise InvalidArgument.of_field(
            "UPLOAD_WITHOUT_HEADER", "header", "the first request of an upload is its header"
        )
    header = first.header
    name = checked_name(header)
    waiting: queue.Queue[bytes | _Broken | None] = queue.Queue(CHUNKS_WAITING)
    loop = asyncio.get_running_loop()
    stored = loop.run_in_executor(executor, objects.put, name, header.size_bytes, _chunks(waiting))
    try:
        while (request := await _next(arriving, stall_seconds)) is not None:
            refuse_undecodable(request)
            if not request.HasField("chunk"):
                raise InvalidArgument.of_field("UPLOAD_CHUNK", "chunk", "after the header come chunks")
            if len(request.chunk) > limits.CHUNK_BYTES:
                raise InvalidArgument.of_field(
                    "UPLOAD_CHUNK", "chunk", f"a chunk has at most {limits.CHUNK_BYTES:,} bytes"
                )
            await _put(waiting, request.chunk, stored)
        await _put(waiting, None, stored)
        await stored
    except DigestMismatch as error:
        raise mismatch(error) from error
    finally:
        if not stored.done():
            await _put(waiting, _Broken(), stored)
            await asyncio.gather(stored, return_exceptions=True)


def mismatch(error: DigestMismatch) -> FailedPrecondition:
    """What the client is told of bytes that are not the declared ones."""
    return FailedPrecondition("DIGEST_MISMATCH", f"header: {error}; send the file as it is now")


def checked_name(header: ingest_pb2.UploadHeader) -> ObjectName:
    """The name of the object that a header announces. INVALID_ARGUMENT."""
    check_artifact_path(header.path, "header.path")
    check_size_and_digest(header.size_bytes, header.sha256, "header")
    namespace = check_namespace(header.namespace, "header.namespace")
    return ObjectName(namespace, parse_id(header.run_id, "header.run_id"), header.sha256)


async def _next(
    arriving: AsyncIterator[ingest_pb2.UploadArtifactRequest], stall_seconds: float
) -> ingest_pb2.UploadArtifactRequest | None:
    try:
        async with asyncio.timeout(stall_seconds):
            return await anext(arriving, None)
    except TimeoutError:
        raise DeadlineExceeded(
            "UPLOAD_STALLED", f"no chunk came for {stall_seconds:.0f} s; send the file again from its beginning"
        ) from None


async def _put(
    waiting: queue.Queue[bytes | _Broken | None], item: bytes | _Broken | None, stored: asyncio.Future[None]
) -> None:
    """Hand over without blocking the loop; what the store refused already takes nothing more."""
    loop = asyncio.get_running_loop()
    while not stored.done():
        try:
            waiting.put_nowait(item)
        except queue.Full:
            await loop.run_in_executor(None, _wait_for_room, waiting)
        else:
            return
    if not isinstance(item, _Broken):
        await stored


def _wait_for_room(waiting: queue.Queue[bytes | _Broken | None]) -> None:
    with waiting.not_full:
        waiting.not_full.wait(0.05)
