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
from fleetlog_proto.v1 import ingest_pb2

CHUNKS_WAITING = 8
IDLE_SECONDS = 60.0
"""How long an upload may send nothing: each holds a thread."""


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
    requests: AsyncIterator[ingest_pb2.UploadArtifactRequest], objects: ObjectStore, executor: Executor
) -> None:
    """Take one upload. FAILED_PRECONDITION DIGEST_MISMATCH: the bytes are not the declared ones."""
    first = await _next(requests)
    if first is None or not first.HasField("header"):
        raise InvalidArgument.of_field(
            "UPLOAD_WITHOUT_HEADER", "header", "the first request of an upload is its header"
        )
    header = first.header
    check_artifact_path(header.path, "header.path")
    check_size_and_digest(header.size_bytes, header.sha256, "header")
    name = ObjectName(
        check_namespace(header.namespace, "header.namespace"), parse_id(header.run_id, "header.run_id"), header.sha256
    )
    waiting: queue.Queue[bytes | _Broken | None] = queue.Queue(CHUNKS_WAITING)
    loop = asyncio.get_running_loop()
    stored = loop.run_in_executor(executor, objects.put, name, header.size_bytes, _chunks(waiting))
    try:
        while (request := await _next(requests)) is not None:
            if not request.HasField("chunk"):
                raise InvalidArgument.of_field("UPLOAD_CHUNK", "chunk", "after the header come chunks alone")
            if len(request.chunk) > limits.CHUNK_BYTES:
                raise InvalidArgument.of_field(
                    "UPLOAD_CHUNK", "chunk", f"{len(request.chunk):,} bytes, at most {limits.CHUNK_BYTES:,}; cut it"
                )
            await _put(waiting, request.chunk, stored)
        await _put(waiting, None, stored)
        await stored
    except DigestMismatch as error:
        raise FailedPrecondition("DIGEST_MISMATCH", f"header: {error}; send the file as it is now") from error
    finally:
        if not stored.done():
            await _put(waiting, _Broken(), stored)
            await asyncio.gather(stored, return_exceptions=True)


async def _next(
    requests: AsyncIterator[ingest_pb2.UploadArtifactRequest],
) -> ingest_pb2.UploadArtifactRequest | None:
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            return await anext(requests, None)
    except TimeoutError:
        raise DeadlineExceeded(
            "UPLOAD_STALLED", f"nothing came for {IDLE_SECONDS:.0f} s; send it from the beginning"
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
