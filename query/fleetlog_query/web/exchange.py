"""One request over HTTP and its answer, whatever they are about: bodies, and callers that go away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import grpc
from starlette.types import Message, Receive, Scope, Send

from fleetlog_query.web.failures import Failure, refusal

BODY_BYTES = 4 * 1024 * 1024
"""Maximum bytes of a request's body."""
BODY_SECONDS = 30.0
"""Seconds within which a body has to come."""
Result = TypeVar("Result")


class Gone(Exception):
    """The caller went away before the answer was there."""


def headers_of(scope: Scope) -> Mapping[str, str]:
    """Headers by their names in lower case; of those that come twice, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """The whole body. Gone, and Failure BODY_TOO_LARGE, BODY_TOO_SLOW, CONTENT_ENCODING."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, grpc.StatusCode.UNIMPLEMENTED, "CONTENT_ENCODING",
            "a body that is compressed is not taken; send it as it is",
        )  # fmt: skip
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > BODY_BYTES:
        raise _too_large()
    pieces, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                piece = message.get("body", b"")
                size += len(piece)
                if size > BODY_BYTES:
                    raise _too_large()
                pieces.append(piece)
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        raise refusal(
            HTTPStatus.REQUEST_TIMEOUT, grpc.StatusCode.DEADLINE_EXCEEDED, "BODY_TOO_SLOW",
            f"the body did not come within {BODY_SECONDS:.0f} s; send it again",
        ) from None  # fmt: skip


def _too_large() -> Failure:
    return refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, grpc.StatusCode.RESOURCE_EXHAUSTED, "BODY_TOO_LARGE",
        f"the body has more than {BODY_BYTES:,} bytes; send several requests",
    )  # fmt: skip


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of the work, which is cancelled when the caller goes away meanwhile: Gone. Its body was read."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Gone
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(send: Send, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
    """Send a whole answer."""
    await begin(send, status, [*headers, ("content-length", str(len(body)))])
    await send_body(send, body, more=False)


async def begin(send: Send, status: int, headers: Sequence[tuple[str, str]]) -> None:
    """Send the head of an answer; pieces of its body follow."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    message: Message = {"type": "http.response.start", "status": status, "headers": raw}
    await send(message)


async def send_body(send: Send, piece: bytes, *, more: bool) -> None:
    """Send a piece of the body; it waits while the caller reads no faster."""
    await send({"type": "http.response.body", "body": piece, "more_body": more})


async def respond_failure(send: Send, failure: Failure) -> None:
    """Send an error as the whole answer."""
    await respond(send, failure.http_status, failure.headers(), failure.body())
