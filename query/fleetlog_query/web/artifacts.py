"""GET /raw/NAMESPACE/RUN/PATH: the bytes of an artifact, as a browser may show them.

Whatever they are, they act on nothing: their policy puts them into a sandbox of no origin, without scripts.
?subject=model names a logged model in place of the run; ?as_of= a moment, Unix milliseconds, as of which the file is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from http import HTTPStatus
from urllib.parse import parse_qs, quote

import grpc
from fleetlog_core.errors import shown
from fleetlog_proto.v1 import artifact_pb2, frame_pb2, scope_pb2
from starlette.types import Receive, Scope, Send

from fleetlog_query.web import policies
from fleetlog_query.web.exchange import begin, headers_of, respond, send_body, unless_gone
from fleetlog_query.web.failures import of_call, refusal
from fleetlog_query.web.media_types import media_type_of
from fleetlog_query.web.methods import METHODS
from fleetlog_query.web.ranges import RangeUnsatisfiable, byte_range
from fleetlog_query.web.upstream import Metadata, Upstream, forwarded

PREFIX = "/raw/"
_DOWNLOAD = METHODS["/fleetlog.v1.QueryService/DownloadArtifact"]
_MILLIS = re.compile("[0-9]{1,15}")
_SUBJECTS = {"run": frame_pb2.SUBJECT_RUN, "model": frame_pb2.SUBJECT_MODEL}


class Artifacts:
    """An ASGI application for the paths of artifacts. Raises Failure and Gone before it answers."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await unless_gone(receive, self._answer(scope, send))

    async def _answer(self, scope: Scope, send: Send) -> None:
        headers = headers_of(scope)
        request, metadata = _request(scope), forwarded(headers)
        try:
            async with aclosing(self._download(request, metadata)) as answers:
                artifact = artifact_pb2.DownloadArtifactResponse.FromString(await anext(answers)).artifact
                beginning = await _next_chunk(answers)
                tag = f'"{artifact.sha256.hex()}"'
                head = [*_head(request.path, beginning), ("etag", tag), *policies.ARTIFACT]
                if headers.get("if-none-match") == tag:
                    await respond(send, HTTPStatus.NOT_MODIFIED, head, b"")
                    return
                try:
                    part = byte_range(headers.get("range"), artifact.size_bytes)
                except RangeUnsatisfiable:
                    head.append(("content-range", f"bytes */{artifact.size_bytes}"))
                    await respond(send, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, head, b"")
                    return
                if part is None:
                    await begin(send, HTTPStatus.OK, [*head, ("content-length", str(artifact.size_bytes))])
                    if scope["method"] == "GET":
                        await _send_all(send, beginning, answers, artifact.size_bytes)
                    else:
                        await send_body(send, b"", more=False)
                    return
            request.offset_bytes, request.length_bytes = part.first, part.length
            async with aclosing(self._download(request, metadata)) as answers:
                await anext(answers)
                head += [("content-range", part.header(artifact.size_bytes)), ("content-length", str(part.length))]
                await begin(send, HTTPStatus.PARTIAL_CONTENT, head)
                await _send_all(send, b"", answers, part.length)
        except grpc.aio.AioRpcError as error:
            raise of_call(error) from None

    def _download(
        self, request: artifact_pb2.DownloadArtifactRequest, metadata: Metadata
    ) -> AsyncGenerator[bytes, None]:
        return self._upstream.stream(_DOWNLOAD, [request.SerializeToString()], None, metadata)


async def _next_chunk(answers: AsyncIterator[bytes]) -> bytes:
    """The next bytes; none at the end."""
    answer = await anext(answers, None)
    return b"" if answer is None else artifact_pb2.DownloadArtifactResponse.FromString(answer).chunk


async def _send_all(send: Send, beginning: bytes, answers: AsyncIterator[bytes], length: int) -> None:
    """Send so many bytes: the beginning, and what comes behind it."""
    chunk, left = beginning, length
    while True:
        chunk = chunk[:left]
        left -= len(chunk)
        await send_body(send, chunk, more=left > 0)
        if not left:
            return
        chunk = await _next_chunk(answers)


def _request(scope: Scope) -> artifact_pb2.DownloadArtifactRequest:
    """The artifact that is asked for. Failure PATH_UNKNOWN, SUBJECT_INVALID."""
    namespace, _, rest = scope["path"].removeprefix(PREFIX).partition("/")
    run_id, _, path = rest.partition("/")
    if not path:
        raise refusal(
            HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND, "PATH_UNKNOWN",
            f"{shown(scope['path'])} is not {PREFIX}NAMESPACE/RUN/PATH",
        )  # fmt: skip
    asked: Mapping[str, Sequence[str]] = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    subject = (asked.get("subject") or ["run"])[-1]
    if subject not in _SUBJECTS:
        raise refusal(
            HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT, "SUBJECT_INVALID",
            f"subject: {shown(subject)} is not run or model",
        )  # fmt: skip
    return artifact_pb2.DownloadArtifactRequest(
        namespace=namespace, run_id=run_id, path=path, subject=_SUBJECTS[subject], as_of=_as_of(asked)
    )


def _as_of(asked: Mapping[str, Sequence[str]]) -> scope_pb2.AsOf | None:
    """The moment that is asked for; None = now. Failure AS_OF_INVALID."""
    text = (asked.get("as_of") or [""])[-1]
    if not text:
        return None
    if not _MILLIS.fullmatch(text):
        raise refusal(
            HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT, "AS_OF_INVALID",
            f"as_of: {shown(text)} is no moment; give Unix milliseconds, such as 1767225600000",
        )  # fmt: skip
    return scope_pb2.AsOf(time_millis=int(text))


def _head(path: str, beginning: bytes) -> list[tuple[str, str]]:
    kind = media_type_of(beginning)
    name = quote(path.rpartition("/")[2], safe="")
    return [
        ("content-type", kind.content_type),
        ("content-disposition", f"{'inline' if kind.inline else 'attachment'}; filename*=UTF-8''{name}"),
        ("cache-control", "private, no-cache"),
        ("accept-ranges", "bytes"),
    ]
