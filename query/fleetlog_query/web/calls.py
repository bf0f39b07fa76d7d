"""POST /fleetlog.v1.SERVICE/METHOD: every call of the contract, in Connect's wire format.

One message in and one out: application/proto or application/json. Streams: application/connect+proto or
application/connect+json, with the requests whole before the first answer; a call that takes one message may also be
asked with application/json, and then answers with a JSON object a line. Protobuf's bytes pass through unread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus

import grpc
from fleetlog_core.errors import FleetlogError, InvalidArgument, shown
from starlette.types import Receive, Scope, Send

from fleetlog_query.web.compression import HEADERS, LEAST_BYTES, Gzip, wants_gzip
from fleetlog_query.web.exchange import begin, headers_of, read_body, respond, send_body, unless_gone
from fleetlog_query.web.failures import Failure, of_call, of_error, refusal
from fleetlog_query.web.forms import BINARY, JSON, Form
from fleetlog_query.web.framing import FRAMINGS, Framing
from fleetlog_query.web.guard import media_type, wrong_content_type
from fleetlog_query.web.methods import METHODS, Method
from fleetlog_query.web.upstream import Upstream, forwarded

TIMEOUT_DIGITS = 10
_UNARY: Mapping[str, Form] = {"application/proto": BINARY, "application/json": JSON}


class Calls:
    """An ASGI application for the paths of calls. Raises Failure and Gone before it answers."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        headers = headers_of(scope)
        method = METHODS.get(scope["path"])
        if method is None:
            raise refusal(
                HTTPStatus.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN",
                f"there is no call {shown(scope['path'])}; the path is /fleetlog.v1.SERVICE/METHOD",
            )  # fmt: skip
        content_type = media_type(headers.get("content-type", ""))
        if method.is_unary:
            form = _UNARY.get(content_type)
            if form is None:
                raise wrong_content_type(content_type, _UNARY)
            await self._unary(method, form, scope, receive, send)
            return
        framing = _framing(method, content_type)
        await self._stream(method, framing, scope, receive, send)

    async def _unary(self, method: Method, form: Form, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        seconds = _seconds(headers)
        body = await read_body(headers, receive)

        async def answered() -> bytes:
            request = await form.decoded(body, method.request)
            answer = await self._upstream.unary(method, request, seconds, forwarded(headers))
            return await form.encoded(answer, method.response)

        try:
            answer = await unless_gone(receive, answered())
        except grpc.aio.AioRpcError as error:
            raise of_call(error) from None
        except FleetlogError as error:
            raise of_error(error) from None
        head = [("content-type", f"application/{form.suffix}")]
        if len(answer) >= LEAST_BYTES and wants_gzip(scope, headers):
            gzip = Gzip()
            head, answer = [*head, *HEADERS], await gzip.piece(answer) + gzip.end()
        await respond(send, HTTPStatus.OK, head, answer)

    async def _stream(self, method: Method, framing: Framing, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        seconds = _seconds(headers)
        body = await read_body(headers, receive)
        try:
            requests = [await framing.form.decoded(one, method.request) for one in framing.requests(body)]
            if not method.streams_requests and len(requests) != 1:
                raise InvalidArgument("ENVELOPE_INVALID", f"the call takes one message; the body has {len(requests)}")
        except FleetlogError as error:
            raise of_error(error) from None
        answers = self._upstream.stream(method, requests, seconds, forwarded(headers))
        gzip = Gzip() if wants_gzip(scope, headers) else None
        await unless_gone(receive, _sent(answers, method, framing, gzip, send))


async def _sent(
    answers: AsyncGenerator[bytes, None], method: Method, framing: Framing, gzip: Gzip | None, send: Send
) -> None:
    """Send the answers as they come. Failure, where nothing was sent yet and the framing can do without its own."""
    failure: Failure | None = None
    begun = False
    head = [("content-type", framing.content_type), *(HEADERS if gzip else ())]
    async with aclosing(answers):
        try:
            async for answer in answers:
                message = framing.message(await framing.form.encoded(answer, method.response))
                if not begun:
                    begun = True
                    await begin(send, HTTPStatus.OK, head)
                await send_body(send, await gzip.piece(message) if gzip else message, more=True)
        except grpc.aio.AioRpcError as error:
            failure = of_call(error)
            if not begun and framing.fails_by_status:
                raise failure from None
    if not begun:
        await begin(send, HTTPStatus.OK, head)
    end = framing.end(failure)
    await send_body(send, await gzip.piece(end) + gzip.end() if gzip else end, more=False)


def _framing(method: Method, content_type: str) -> Framing:
    """The framing that is asked for. Failure CONTENT_TYPE_INVALID."""
    framing = FRAMINGS.get(content_type)
    accepted = [kind for kind, one in FRAMINGS.items() if one.many_requests or not method.streams_requests]
    if framing is None or content_type not in accepted:
        raise wrong_content_type(content_type, accepted)
    return framing


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds that the caller waits; None when it does not say. Failure TIMEOUT_INVALID."""
    text = headers.get("connect-timeout-ms")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= TIMEOUT_DIGITS and int(text) > 0):
        what = f"{shown(text)} is no whole number of milliseconds of at most {TIMEOUT_DIGITS} digits"
        raise of_error(InvalidArgument.of_field("TIMEOUT_INVALID", "connect-timeout-ms", what))
    return int(text) / 1000
