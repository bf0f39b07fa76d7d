"""Routes: which part answers which path."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import grpc
from starlette.types import ASGIApp, Receive, Scope, Send

from fleetlog_query.web.artifacts import PREFIX, Artifacts
from fleetlog_query.web.bundle import load_bundle
from fleetlog_query.web.calls import Calls
from fleetlog_query.web.failures import refusal
from fleetlog_query.web.gate import Gate, Shares
from fleetlog_query.web.guard import Guard
from fleetlog_query.web.live import Live
from fleetlog_query.web.methods import PACKAGE
from fleetlog_query.web.pages import Pages
from fleetlog_query.web.sessions import END_PATH, Sessions
from fleetlog_query.web.sessions import PATH as SESSION_PATH
from fleetlog_query.web.upstream import Upstream

LIVE_PATH = "/live"
STATIC = Path(__file__).with_name("static")


@dataclass(frozen=True)
class WebOptions:
    """What the address is to its callers."""

    hosts: Collection[str] = ()
    """Names, beside those of loopback, under which it may be asked."""
    shares: Shares = field(default_factory=Shares)
    static: Path = STATIC
    """Folder with the pages of the UI."""


def web_app(upstream: Upstream, options: WebOptions) -> ASGIApp:
    """The whole of it as an ASGI application."""
    bundle = load_bundle(options.static)
    routes = _Routes(Calls(upstream), Artifacts(upstream), Live(upstream), Pages(bundle), Sessions(upstream))
    return Gate(routes, Guard(options.hosts), bundle.version, options.shares)


class _Routes:
    def __init__(self, calls: ASGIApp, artifacts: ASGIApp, live: ASGIApp, pages: ASGIApp, sessions: Sessions) -> None:
        self._calls = calls
        self._artifacts = artifacts
        self._live = live
        self._pages = pages
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path in (SESSION_PATH, END_PATH) and scope["type"] == "http":
            _only(scope["method"], "POST")
            await self._sessions(scope, receive, send)
            return
        scope = self._sessions.identified(scope)
        if scope["type"] == "websocket":
            if path != LIVE_PATH:
                raise refusal(
                    HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND, "PATH_UNKNOWN", f"sockets are at {LIVE_PATH}"
                )
            await self._live(scope, receive, send)
        elif path.startswith(f"/{PACKAGE}."):
            _only(scope["method"], "POST")
            await self._calls(scope, receive, send)
        else:
            _only(scope["method"], "GET", "HEAD")
            await (self._artifacts if path.startswith(PREFIX) else self._pages)(scope, receive, send)


def _only(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise refusal(
            HTTPStatus.METHOD_NOT_ALLOWED, grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED",
            f"{method} is not {' or '.join(allowed)}, which this path takes",
        )  # fmt: skip
