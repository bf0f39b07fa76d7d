"""ListArtifacts and DownloadArtifact."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, NotFound
from fleetlog_core.ids import parse_id
from fleetlog_core.objects.port import ObjectName
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import artifact_pb2

from fleetlog_query.artifacts import Artifacts
from fleetlog_query.calls.base import Parts, QueryCalls, next_of, remaining
from fleetlog_query.page_token import check_page_size


class ArtifactCalls(QueryCalls):
    """Files of runs."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._artifacts = Artifacts(parts.warehouse)

    async def ListArtifacts(  # noqa: N802
        self, request: artifact_pb2.ListArtifactsRequest, context: Context
    ) -> artifact_pb2.ListArtifactsResponse:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        if request.path:
            check_artifact_path(request.path)
        size = check_page_size(request.page_size, 1_000, 10_000)
        purpose = f"artifacts:{namespace}:{run_id.hex()}:{request.path}"
        after = str(self._tokens.read(purpose, request.page_token)[0]) if request.page_token else ""
        await self._wait(request.at_least, context)
        timeout = remaining(context)
        await self._check_run(namespace, run_id, timeout)
        found = await self._do(self._artifacts.below, namespace, run_id, request.path, after, size + 1, timeout)
        token = self._tokens.make(purpose, [found[size - 1].path]) if len(found) > size else ""
        return artifact_pb2.ListArtifactsResponse(artifacts=found[:size], next_page_token=token)

    async def DownloadArtifact(  # noqa: N802
        self, request: artifact_pb2.DownloadArtifactRequest, context: Context
    ) -> AsyncIterator[artifact_pb2.DownloadArtifactResponse]:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        check_artifact_path(request.path)
        await self._wait(request.at_least, context)
        timeout = remaining(context)
        await self._check_run(namespace, run_id, timeout)
        artifact = await self._do(self._artifacts.at, namespace, run_id, request.path, timeout)
        if artifact is None:
            raise NotFound("ARTIFACT_NOT_FOUND", "the run has no artifact of that path")
        if not 0 <= request.offset_bytes <= artifact.size_bytes:
            raise InvalidArgument.of_field(
                "OFFSET_INVALID", "offset_bytes", f"{request.offset_bytes} is not 0 to {artifact.size_bytes}"
            )
        yield artifact_pb2.DownloadArtifactResponse(artifact=artifact)
        name = ObjectName(namespace, run_id, artifact.sha256)
        chunks = await self._do(self._parts.objects.read, name, request.offset_bytes, limits.CHUNK_BYTES)
        sent = self._parts.answers.sent(
            context, lambda holding: chunks, self._next_chunk, _response, 2 * limits.CHUNK_BYTES
        )
        async for response in sent:
            yield response

    async def _next_chunk(self, chunks: Iterator[bytes]) -> bytes | None:
        return await self._do(next_of, chunks)


def _response(chunk: bytes) -> artifact_pb2.DownloadArtifactResponse:
    return artifact_pb2.DownloadArtifactResponse(chunk=chunk)
