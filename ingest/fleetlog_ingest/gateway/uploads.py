"""UploadArtifact: bytes into the object store, digest and size verified before anything refers to them."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from itertools import chain

from fleetlog_core import limits
from fleetlog_core.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from fleetlog_core.ids import parse_id
from fleetlog_core.objects.port import DigestMismatch, ObjectName, ObjectStore
from fleetlog_core.rules.events import check_size_and_digest
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_core.serving.budget import Share
from fleetlog_core.serving.errors import refuse_undecodable
from fleetlog_proto.v1 import ingest_pb2

from fleetlog_ingest.gateway.upload_slots import EARLY_BYTES, UploadSlots

CHUNKS_WAITING = 2
"""Chunks of an upload that wait for its thread."""
STALL_SECONDS = 60.0
"""An upload that brings nothing for so long is ended: it may hold a thread and a file."""


class _Broken(Exception):
    """The client went away in the middle."""


class _TooSlow(Exception):
    """The upload must end: others wait for its room."""


def _chunks(waiting: queue.Queue[bytes | _Broken | None]) -> Iterator[bytes]:
    while True:
        chunk = waiting.get()
        if chunk is None:
            return
        if isinstance(chunk, _Broken):
            raise chunk
        yield chunk


Admit = Callable[[ingest_pb2.UploadHeader], Awaitable[None]]


async def _everything(header: ingest_pb2.UploadHeader) -> None:
    """Every upload is let in."""


class Uploader:
    """Takes uploads into a store. For one event loop."""

    def __init__(
        self,
        objects: ObjectStore,
        executor: Executor,
        slots: UploadSlots,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """`executor` has a thread for every slot at least."""
        self._objects = objects
        self._executor = executor
        self._slots = slots
        self._stall_seconds = stall_seconds

    async def take(
        self, requests: AsyncIterator[ingest_pb2.UploadArtifactRequest], client: str, admit: Admit = _everything
    ) -> None:
        """Take one upload, if `admit` lets it in, which raises else.

        FAILED_PRECONDITION DIGEST_MISMATCH: the bytes are not the declared ones.
        DEADLINE_EXCEEDED UPLOAD_STALLED: nothing came for `stall_seconds`. RESOURCE_EXHAUSTED TOO_MANY_UPLOADS;
        UPLOAD_TOO_SLOW: others waited for its room.
        """
        opened = await self._slots.open.enter(client, 1, None, self._slots.pace())
        arriving = _Arriving(aiter(requests), self._stall_seconds, opened)
        try:
            header = await arriving.header()
            await admit(header)
            early, is_all = await _early(arriving)
            stored = await self._slots.threads.enter(client, 1, None, opened.pace)
            arriving.shares.append(stored)
            try:
                await self._store(header, early, None if is_all else arriving)
            finally:
                self._slots.threads.leave(stored)
        except _TooSlow:
            raise self._slots.open.too_slow() from None
        finally:
            self._slots.open.leave(opened)

    async def _store(
        self, header: ingest_pb2.UploadHeader, early: list[bytes], arriving: _Arriving | None
    ) -> None:  # fmt: skip
        """Store what came and what comes."""
        waiting: queue.Queue[bytes | _Broken | None] = queue.Queue(CHUNKS_WAITING)
        loop = asyncio.get_running_loop()
        chunks = chain(early, _chunks(waiting))
        stored = loop.run_in_executor(
            self._executor, self._objects.put, checked_name(header), header.size_bytes, chunks
        )
        try:
            while arriving is not None and (chunk := await arriving.chunk()) is not None:
                await _put(waiting, chunk, stored)
            await _put(waiting, None, stored)
            await stored
        except DigestMismatch as error:
            raise mismatch(error) from error
        finally:
            if not stored.done():
                await _put(waiting, _Broken(), stored)
                await asyncio.gather(stored, return_exceptions=True)


class _Arriving:
    """The requests of one upload, checked."""

    def __init__(
        self, requests: AsyncIterator[ingest_pb2.UploadArtifactRequest], stall_seconds: float, share: Share
    ) -> None:
        self._requests = requests
        self._stall_seconds = stall_seconds
        self._pace = share.pace
        self.shares = [share]
        """What the upload holds: it ends when one of these must."""

    async def header(self) -> ingest_pb2.UploadHeader:
        """The first request. INVALID_ARGUMENT."""
        first = await self._next()
        if first is None or not first.HasField("header"):
            raise InvalidArgument.of_field(
                "UPLOAD_WITHOUT_HEADER", "header", "the first request of an upload is its header"
            )
        checked_name(first.header)
        return first.header

    async def chunk(self) -> bytes | None:
        """The next bytes; None at the end. INVALID_ARGUMENT."""
        request = await self._next()
        if request is None:
            return None
        if not request.HasField("chunk"):
            raise InvalidArgument.of_field("UPLOAD_CHUNK", "chunk", "after the header come chunks")
        if len(request.chunk) > limits.CHUNK_BYTES:
            raise InvalidArgument.of_field("UPLOAD_CHUNK", "chunk", f"a chunk has at most {limits.CHUNK_BYTES:,} bytes")
        return request.chunk

    async def _next(self) -> ingest_pb2.UploadArtifactRequest | None:
        """The next request; None at the end. INVALID_ARGUMENT."""
        self._pace.wait(time.monotonic())
        coming = asyncio.ensure_future(anext(self._requests, None))
        ended = [asyncio.ensure_future(share.ended.wait()) for share in self.shares]
        try:
            await asyncio.wait((coming, *ended), timeout=self._stall_seconds, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                request = await coming
                refuse_undecodable(request)
                self._pace.move(0 if request is None else len(request.chunk), time.monotonic())
                return request
            if any(share.ended.is_set() for share in self.shares):
                raise _TooSlow
            raise DeadlineExceeded(
                "UPLOAD_STALLED",
                f"no chunk came for {self._stall_seconds:.0f} s; send the file again from its beginning",
            )
        finally:
            for one in (coming, *ended):
                one.cancel()


async def _early(arriving: _Arriving) -> tuple[list[bytes], bool]:
    """What came before a thread is taken, and whether it is all."""
    early: list[bytes] = []
    size = 0
    while size < EARLY_BYTES:
        chunk = await arriving.chunk()
        if chunk is None:
            return early, True
        early.append(chunk)
        size += len(chunk)
    return early, False


def mismatch(error: DigestMismatch) -> FailedPrecondition:
    """What the client is told of bytes that are not the declared ones."""
    return FailedPrecondition("DIGEST_MISMATCH", f"header: {error}; send the file as it is now")


def checked_name(header: ingest_pb2.UploadHeader) -> ObjectName:
    """The name of the object that a header announces. INVALID_ARGUMENT."""
    check_artifact_path(header.path, "header.path")
    check_size_and_digest(header.size_bytes, header.sha256, "header")
    namespace = check_namespace(header.namespace, "header.namespace")
    return ObjectName(namespace, parse_id(header.run_id, "header.run_id"), header.sha256)


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
