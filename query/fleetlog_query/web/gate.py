"""What every request passes: the guard, the share of one client, headers of the answer, and the access log."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

import grpc
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleetlog_query.web import policies
from fleetlog_query.web.exchange import Gone, headers_of, respond_failure
from fleetlog_query.web.failures import CLIENT_CLOSED, Failure, refusal
from fleetlog_query.web.guard import Guard

access = logging.getLogger("fleetlog.access")
diagnostics = logging.getLogger(__name__)
VERSION_HEADER = "x-fleetlog-ui"
"""Header of every answer: the hash of the pages that the server has now."""
_POLICY = b"content-security-policy"
_INTERNAL = "an internal error; the server's log has more"


@dataclass(frozen=True)
class Shares:
    """Requests that one client, by its address, may have under way."""

    calls: int = 64
    sockets: int = 8


class Gate:
    """An ASGI application around another one, which answers, or raises Failure or Gone before it answers."""

    def __init__(self, app: ASGIApp, guard: Guard, version: str, shares: Shares) -> None:
        self._app = app
        self._guard = guard
        self._shares = shares
        self._headers = [(name.encode(), value.encode()) for name, value in (*policies.PAGE, (VERSION_HEADER, version))]
        self._calls: Counter[str] = Counter()
        self._sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status = time.perf_counter(), CLIENT_CLOSED

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message["headers"])
                has_policy = any(name == _POLICY for name, _ in headers)
                headers.append((b"date", formatdate(usegmt=True).encode()))
                message["headers"] = headers + (self._headers[-1:] if has_policy else self._headers)
            await send(message)

        try:
            failure = self._guard.check(scope["method"], headers_of(scope))
            if failure is not None:
                raise failure
            with _share(self._calls, scope, self._shares.calls, "calls"):
                await self._app(scope, receive, sent)
        except Failure as failure:
            await respond_failure(sent, failure)
        except Gone:
            pass
        except Exception:
            diagnostics.exception("a request failed")
            if status != CLIENT_CLOSED:
                # Half an answer must not look like a whole one: the connection is cut.
                raise
            internal = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, grpc.StatusCode.INTERNAL, "INTERNAL", _INTERNAL)
            await respond_failure(sent, internal)
        finally:
            millis = (time.perf_counter() - begun) * 1000
            access.info("%s %s %d %.1f ms", scope["method"], scope["path"], status, millis)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, ending = time.perf_counter(), "closed"
        try:
            failure = self._guard.check_socket(headers_of(scope))
            if failure is not None:
                raise failure
            with _share(self._sockets, scope, self._shares.sockets, "sockets"):
                await self._app(scope, receive, send)
        except Failure as failure:
            ending = failure.reason
            # Before it is accepted, that is a 403.
            await send({"type": "websocket.close", "code": 1008, "reason": failure.reason})
        finally:
            millis = (time.perf_counter() - begun) * 1000
            access.info("WEBSOCKET %s %s %.1f ms", scope["path"], ending, millis)


@contextmanager
def _share(counts: Counter[str], scope: Scope, most: int, what: str) -> Iterator[None]:
    """One more of what a client has under way. Failure TOO_MANY_REQUESTS."""
    client = scope["client"][0] if scope.get("client") else ""
    if counts[client] >= most:
        failure = refusal(
            HTTPStatus.TOO_MANY_REQUESTS, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS",
            f"{most} {what} of this client are under way; wait for one of them",
        )  # fmt: skip
        failure.retry_after_seconds = 1.0
        raise failure
    counts[client] += 1
    try:
        yield
    finally:
        counts[client] -= 1
        if not counts[client]:
            del counts[client]
