"""The HTTP port: uvicorn around the application, from `start` until `stop`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from pathlib import Path

import uvicorn
from fleetlog_core.serving.server import PortTaken, check_address, joined
from fleetlog_core.serving.tls import TlsFiles, TlsRefused, https_context

from fleetlog_query.web.app import WebOptions, web_app
from fleetlog_query.web.connections import PunctualProtocol
from fleetlog_query.web.upstream import Upstream

IDLE_SECONDS = 60
"""Seconds that a connection may be silent between two requests."""
HEAD_BYTES = 32 * 1024
"""Maximum bytes of a request's head."""
SOCKET_FRAME_BYTES = 1024 * 1024
OPTION = "--web-port"


class WebPort:
    """Listens on one address. Used from one event loop."""

    def __init__(
        self,
        host: str,
        port: int,
        options: WebOptions,
        ca_file: Path | None = None,
        *,
        or_free: bool = False,
        tls: TlsFiles | None = None,
    ) -> None:
        """`port` 0: a free one; `or_free`: also when it is taken.

        `ca_file`: what is trusted of servers with TLS; None = what the system trusts. `tls`: None = plain HTTP.
        """
        self._host, self._port, self._options, self._ca_file = host, port, options, ca_file
        self._tls = tls
        self._or_free = or_free
        self._upstream: Upstream | None = None
        self._server: uvicorn.Server | None = None
        self.port: int | None = None
        """The port, while it listens."""

    async def start(self, query: str, ingest: str) -> int:
        """Listen, and ask these gRPC servers; the port. PortTaken, TlsRefused, OSError."""
        # What it says to people is said by whoever starts it; what it says of peers is noise.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._upstream = Upstream(query, ingest, None if self._ca_file is None else self._ca_file.read_bytes())
        try:
            try:
                return await self._listen(self._upstream, self._port)
            except PortTaken:
                if not self._or_free:
                    raise
                return await self._listen(self._upstream, 0)
        except (PortTaken, TlsRefused):
            await self._upstream.close()
            raise

    async def _listen(self, upstream: Upstream, port: int) -> int:
        check_address(self._host, port, OPTION)
        # By host and port: a socket that was made before has no TCP_NODELAY, and each answer waits 40 ms.
        config = uvicorn.Config(
            web_app(upstream, self._options),
            host=self._host,
            port=port,
            http=PunctualProtocol,
            ws="websockets-sansio",
            ws_max_size=SOCKET_FRAME_BYTES,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        config.load()
        # By a context of its own, which reads the files again when they change.
        config.ssl = None if self._tls is None else https_context(self._tls)
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        try:
            # Not serve(), which takes the signals of the process, ends it when the port is taken, and wakes ten times a
            # second for the date, which the gate tells.
            await server.startup()
        except SystemExit:
            raise PortTaken(f"{joined(self._host, port)} is taken: give another {OPTION}") from None
        self._server = server
        bound: int = server.servers[0].sockets[0].getsockname()[1]
        self.port = bound
        return bound

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, let what is under way end for so long, then cut it off. Idempotent."""
        server, upstream = self._server, self._upstream
        self._server = self._upstream = self.port = None
        if server is None or upstream is None:
            return
        server.config.timeout_graceful_shutdown = math.ceil(grace_seconds)
        with contextlib.suppress(TimeoutError):
            # A connection whose peer does not read is closed by nothing but the end of the process.
            await asyncio.wait_for(server.shutdown(), grace_seconds + 5)
        await upstream.close()
