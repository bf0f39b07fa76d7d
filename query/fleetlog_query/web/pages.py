"""GET / and /n/…: the page of the UI; GET /v/HASH/…: the files that it is made of."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from pathlib import PurePosixPath

import grpc
from fleetlog_core.errors import shown
from starlette.types import Receive, Scope, Send

from fleetlog_query.web.bundle import INDEX, MIME_TYPES, Bundle
from fleetlog_query.web.exchange import headers_of, respond
from fleetlog_query.web.failures import refusal
from fleetlog_query.web.guard import is_loopback

FOREVER = "public, max-age=31536000, immutable"
COMPRESSED_BYTES = 1_024
"""Files from this size on are sent compressed to other machines."""
COMPRESSED_ALREADY = (".png", ".woff2")


class Pages:
    """An ASGI application for all paths that are no calls and no artifacts."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._compressed = {
            name: gzip.compress(data, 9, mtime=0)
            for name, data in bundle.files.items()
            if len(data) >= COMPRESSED_BYTES and PurePosixPath(name).suffix not in COMPRESSED_ALREADY
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Failure PATH_UNKNOWN."""
        path: str = scope["path"]
        if path == "/" or path.startswith("/n/"):
            headers = [("content-type", MIME_TYPES[PurePosixPath(INDEX).suffix]), ("cache-control", "no-store")]
            await respond(send, HTTPStatus.OK, headers, self._bundle.index)
            return
        version, _, name = path.removeprefix("/v/").partition("/")
        data = self._bundle.files.get(name) if version == self._bundle.version else None
        if data is None or not path.startswith("/v/"):
            raise refusal(
                HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND, "PATH_UNKNOWN", f"there is nothing at {shown(path)}"
            )
        headers = [("content-type", MIME_TYPES[PurePosixPath(name).suffix]), ("cache-control", FOREVER)]
        if name in self._compressed:
            headers.append(("vary", "accept-encoding"))
            if not _is_near(scope) and "gzip" in headers_of(scope).get("accept-encoding", ""):
                headers.append(("content-encoding", "gzip"))
                data = self._compressed[name]
        await respond(send, HTTPStatus.OK, headers, data)


def _is_near(scope: Scope) -> bool:
    """True if the caller is on this machine: to compress for it costs more than to send."""
    client: tuple[str, int] | None = scope.get("client")
    return client is not None and is_loopback(client[0])
