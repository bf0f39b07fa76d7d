"""Sessions of browsers: a token that was shown once, sealed into a cookie that no script can read.

POST /session        {"token": "…"}: who that is, as AuthService.WhoAmI tells it, and the cookie
POST /session/end    takes the cookie away

A request that brings the cookie and no `authorization` goes on with the token of the cookie. The key is the process's
own: what another process sealed, or this one before it was started again, is no session, and the browser asks for the
token anew.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

import grpc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.types import Receive, Scope, Send

from fleetlog_query.web.exchange import headers_of, read_body, respond, unless_gone
from fleetlog_query.web.failures import of_call, refusal
from fleetlog_query.web.forms import JSON
from fleetlog_query.web.guard import media_type, wrong_content_type
from fleetlog_query.web.methods import METHODS
from fleetlog_query.web.upstream import Upstream

PATH, END_PATH = "/session", "/session/end"
COOKIE = "__Host-fleetlog"
"""Name that browsers take from this host alone, with Secure and for all of its paths."""
SECONDS = 12 * 3600
TOKEN_CHARACTERS = 16_384
_NONCE_BYTES = 12
_WHO_AM_I = METHODS["/fleetlog.v1.AuthService/WhoAmI"]
_ATTRIBUTES = "Path=/; HttpOnly; Secure; SameSite=Strict"
_KIND = "application/json"


class Seal:
    """Seals tokens with a key that nobody else has, for so many seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._now = now

    def close(self, token: str) -> str:
        """Returns the sealed token, in hexadecimal digits."""
        nonce = os.urandom(_NONCE_BYTES)
        end = int(self._now() + SECONDS).to_bytes(8, "big")
        return (nonce + self._cipher.encrypt(nonce, end + token.encode(), COOKIE.encode())).hex()

    def open(self, sealed: str) -> str | None:
        """Returns the token; None of what was not sealed here, or whose time is over."""
        try:
            data = bytes.fromhex(sealed)
            text = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], COOKIE.encode())
        except (InvalidTag, ValueError):
            return None
        return text[8:].decode() if int.from_bytes(text[:8], "big") > self._now() else None


class Sessions:
    """An ASGI application for both paths, and what hands the token of a cookie on to the others."""

    def __init__(self, upstream: Upstream, seal: Seal | None = None) -> None:
        self._upstream = upstream
        self._seal = seal or Seal()

    def identified(self, scope: Scope) -> Scope:
        """The request with the token of its cookie; as it is when it says by itself who asks, or has no session."""
        headers = headers_of(scope)
        if "authorization" in headers or (token := self._token(headers)) is None:
            return scope
        return {**scope, "headers": [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]}

    def _token(self, headers: Mapping[str, str]) -> str | None:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return None
        return None if morsel is None else self._seal.open(morsel.value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin a session or end one. Raises Failure before it answers."""
        headers = headers_of(scope)
        content_type = media_type(headers.get("content-type", ""))
        if content_type != _KIND:
            raise wrong_content_type(content_type, (_KIND,))
        body = await read_body(headers, receive)
        if scope["path"] == END_PATH:
            cookie, answer = f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}", b"{}"
        else:
            token = _shown(body)
            answer = await unless_gone(receive, self._who(token))
            cookie = f"{COOKIE}={self._seal.close(token)}; Max-Age={SECONDS}; {_ATTRIBUTES}"
        head = [("content-type", _KIND), ("cache-control", "no-store"), ("set-cookie", cookie)]
        await respond(send, HTTPStatus.OK, head, answer)

    async def _who(self, token: str) -> bytes:
        """Who a token is of, as JSON. Failure of the server, UNAUTHENTICATED among them."""
        try:
            answer = await self._upstream.unary(_WHO_AM_I, b"", None, (("authorization", f"Bearer {token}"),))
        except grpc.aio.AioRpcError as error:
            raise of_call(error) from None
        return await JSON.encoded(answer, _WHO_AM_I.response)


def _shown(body: bytes) -> str:
    """The token of a request's body. Failure TOKEN_INVALID, which tells nothing of it."""
    try:
        token = json.loads(body)["token"]
    except (ValueError, TypeError, KeyError):
        token = None
    # As a header takes it: letters, digits and signs, and nothing that ends a line.
    if isinstance(token, str) and token and len(token) <= TOKEN_CHARACTERS and token.isascii() and token.isprintable():
        return token
    raise refusal(
        HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_INVALID",
        'the body is not {"token": "…"} with a token of letters, digits and signs; `fleetlog tokens create` makes one',
    )  # fmt: skip
