"""Answers in gzip, for callers on other machines: for one on this machine it costs more than to send them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from starlette.types import Scope

from fleetlog_query.web.guard import is_loopback

LEAST_BYTES = 1_024
"""Answers from this size on are compressed."""
INLINE_BYTES = 64 * 1024
"""Larger pieces are compressed in a thread: others are answered meanwhile."""
LEVEL = 1
HEADERS = (("content-encoding", "gzip"), ("vary", "accept-encoding"))
_GZIP = 31
"""zlib's number for gzip around its largest window."""


def wants_gzip(scope: Scope, headers: Mapping[str, str]) -> bool:
    """True if the caller is on another machine and takes gzip."""
    client: tuple[str, int] | None = scope.get("client")
    is_near = client is not None and is_loopback(client[0])
    return not is_near and "gzip" in headers.get("accept-encoding", "")


class Gzip:
    """One body that is compressed piece by piece."""

    def __init__(self) -> None:
        self._work = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)

    async def piece(self, data: bytes) -> bytes:
        """The piece, so that a caller can read it at once."""
        if len(data) > INLINE_BYTES:
            return await asyncio.to_thread(self._piece, data)
        return self._piece(data)

    def end(self) -> bytes:
        """The end of the body."""
        return self._work.flush(zlib.Z_FINISH)

    def _piece(self, data: bytes) -> bytes:
        return self._work.compress(data) + self._work.flush(zlib.Z_SYNC_FLUSH)
