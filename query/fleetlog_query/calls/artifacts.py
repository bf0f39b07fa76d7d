"""ListArtifacts and DownloadArtifact."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

from fleetlog_core import limits
from fleetlog_core.errors import DataLoss, InvalidArgument, NotFound, shown
from fleetlog_core.ids import parse_id
from fleetlog_core.objects.port import DigestMismatch, ObjectName
from fleetlog_core.objects.verifying import verified
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import artifact_pb2, frame_pb2

from fleetlog_query.artifacts import Artifacts
from fleetlog_query.calls.base import QueryCalls, Services, next_of
from fleetlog_query.calls.logged_models import model_not_found
from fleetlog_query.logged_models import LoggedModels
from fleetlog_query.search.paging import Page
from fleetlog_query.sql.as_of import AsOf

diagnostics = logging.getLogger(__name__)


class ArtifactCalls(QueryCalls):
    """Files of runs and of logged models."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._artifacts = Artifacts(services.warehouse)
        self._models = LoggedModels(services.warehouse)

    async def ListArtifacts(  # noqa: N802
        self, request: artifact_pb2.ListArtifactsRequest, context: Context
    ) -> artifact_pb2.ListArtifactsResponse:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        if request.path:
            check_artifact_path(request.path, written=False)
        page = Page.of(self._tokens, request, namespace, 1_000, 10_000)
        after = page.after[0] if page.after else ""
        await self._wait(request.at_least, context)
        as_of = await self._as_of(request, context)
        await self._check_owner(request, namespace, run_id, context, as_of)
        asked = (namespace, run_id, request.path, after, page.size + 1, as_of)
        found = await self._do(context, self._artifacts.below, *asked)
        artifacts, token = page.cut(found, lambda one: [one.path])
        return artifact_pb2.ListArtifactsResponse(artifacts=artifacts, next_page_token=token)

    async def DownloadArtifact(  # noqa: N802
        self, request: artifact_pb2.DownloadArtifactRequest, context: Context
    ) -> AsyncIterator[artifact_pb2.DownloadArtifactResponse]:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        check_artifact_path(request.path, written=False)
        await self._wait(request.at_least, context)
        as_of = await self._as_of(request, context)
        await self._check_owner(request, namespace, run_id, context, as_of)
        artifact = await self._do(context, self._artifacts.at, namespace, run_id, request.path, as_of)
        if artifact is None:
            raise NotFound("ARTIFACT_NOT_FOUND", "there is no artifact of that path")
        if not 0 <= request.offset_bytes <= artifact.size_bytes:
            raise InvalidArgument.of_field(
                "OFFSET_INVALID", "offset_bytes", f"{request.offset_bytes} is not 0 to {artifact.size_bytes}"
            )
        if request.length_bytes < 0:
            raise InvalidArgument.of_field("LENGTH_INVALID", "length_bytes", f"{request.length_bytes} is below 0")
        yield artifact_pb2.DownloadArtifactResponse(artifact=artifact)
        try:
            part = request.offset_bytes, request.length_bytes
            chunks = await self._do(context, self._bytes_of, namespace, run_id, artifact, *part)
            sent = self._services.answers.sent(
                context,
                lambda holding: chunks,
                lambda left: self._do(context, next_of, left),
                _response,
                2 * limits.CHUNK_BYTES,
            )
            async for response in sent:
                yield response
        except (KeyError, DigestMismatch) as error:
            diagnostics.error("artifact %r of run %s is damaged: %s", request.path, run_id.hex(), error)
            raise DataLoss(
                "OBJECT_DAMAGED",
                f"path: the bytes of {shown(request.path)} are gone from the object store, or are not those that were"
                " stored; log the file again",
            ) from error

    async def _check_owner(
        self,
        request: artifact_pb2.ListArtifactsRequest | artifact_pb2.DownloadArtifactRequest,
        namespace: str,
        owner: bytes,
        context: Context,
        as_of: AsOf | None,
    ) -> None:
        """NotFound RUN_NOT_FOUND, LOGGED_MODEL_NOT_FOUND. A model that came later had no files then."""
        if request.subject != frame_pb2.SUBJECT_MODEL:
            await self._check_run(namespace, owner, context, as_of)
        elif not await self._do(context, self._models.exists, namespace, owner):
            raise model_not_found(owner)

    def _bytes_of(
        self, namespace: str, run_id: bytes, artifact: artifact_pb2.Artifact, offset_bytes: int, length_bytes: int
    ) -> Iterator[bytes]:
        """The bytes from an offset on. Not the last of them when they are not what was stored: DigestMismatch.

        Of a part (`length_bytes` 0: to the end) only the length of the whole is verified here; the digest is by the
        client, when it has all of them.
        """
        name = ObjectName(namespace, run_id, artifact.sha256)
        if not offset_bytes and not artifact.size_bytes:
            return iter(())
        stored = self._services.objects.size(name)
        if stored != artifact.size_bytes:
            raise DigestMismatch(f"{stored} bytes are stored, and {artifact.size_bytes} were logged")
        chunks = self._services.objects.read(name, offset_bytes, limits.CHUNK_BYTES)
        if length_bytes:
            return beginning_of(chunks, length_bytes)
        return chunks if offset_bytes else verified(name, artifact.size_bytes, chunks)


def beginning_of(chunks: Iterator[bytes], length: int) -> Iterator[bytes]:
    """The first bytes of some chunks, `length` of them at most; no chunk more is asked for."""
    while length > 0 and (chunk := next(chunks, None)) is not None:
        yield chunk[:length]
        length -= len(chunk)


def _response(chunk: bytes) -> artifact_pb2.DownloadArtifactResponse:
    return artifact_pb2.DownloadArtifactResponse(chunk=chunk)
