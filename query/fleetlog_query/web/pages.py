"""GET / and /n/…: the page of the UI; /v/HASH/…: the files that it is made of; /openapi.json: the calls."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import grpc
from fleetlog_core.errors import shown
from starlette.types import Receive, Scope, Send

from fleetlog_query.web.bundle import INDEX, MIME_TYPES, Bundle
from fleetlog_query.web.compression import LEAST_BYTES, wants_gzip
from fleetlog_query.web.exchange import headers_of, respond
from fleetlog_query.web.failures import refusal

FOREVER = "public, max-age=31536000, immutable"
OPENAPI = Path(__file__).with_name("openapi.json")
COMPRESSED_ALREADY = (".png", ".woff2")


class Pages:
    """An ASGI application for all paths that are no calls and no artifacts."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._compressed = {
            name: gzip.compress(data, 9, mtime=0)
            for name, data in bundle.files.items()
            if len(data) >= LEAST_BYTES and PurePosixPath(name).suffix not in COMPRESSED_ALREADY
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Failure PATH_UNKNOWN."""
        path: str = scope["path"]
        if path == "/" or path.startswith("/n/"):
            headers = [("content-type", MIME_TYPES[PurePosixPath(INDEX).suffix]), ("cache-control", "no-store")]
            await respond(send, HTTPStatus.OK, headers, self._bundle.index)
            return
        if path == "/openapi.json":
            headers = [("content-type", "application/json"), ("cache-control", "no-cache")]
            await respond(send, HTTPStatus.OK, headers, OPENAPI.read_bytes())
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
            if wants_gzip(scope, headers_of(scope)):
                headers.append(("content-encoding", "gzip"))
                data = self._compressed[name]
        await respond(send, HTTPStatus.OK, headers, data)
