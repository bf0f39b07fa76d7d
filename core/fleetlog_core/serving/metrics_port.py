"""The port for machines that look after a process: /metrics, /healthz and /readyz over HTTP or HTTPS.

/metrics   the telemetry, in Prometheus' text format
/healthz   200 while the process answers: whatever it depends on is not asked
/readyz    200 when it can do its job, with what waits meanwhile; 503 with the reason when not
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from fleetlog_core.serving.server import check_address
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.tls import TlsFiles, https_context

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

diagnostics = logging.getLogger(__name__)
SILENCE_SECONDS = 10.0
"""A connection that sends no request for so long is closed: it holds a thread."""
Ready = Callable[[], str]
"""Why the process can't do its job now; empty when it can. Answers at once, from any thread."""


class MetricsPort:
    """Listens from `start` until `stop`."""

    def __init__(
        self,
        host: str,
        port: int,
        telemetry: Telemetry,
        ready: Ready,
        degraded: Ready = lambda: "",
        tls: TlsFiles | None = None,
    ) -> None:
        """`degraded` says what the process can't do, though its job it can; empty when it can do all. `tls`: None =
        plain HTTP."""
        self._host, self._port = host, port
        self._tls = tls
        self._app = application(telemetry, ready, degraded)
        self._server: _Server | None = None

    def start(self) -> int:
        """Listen; the port that was bound. PortTaken, TlsRefused."""
        context = None if self._tls is None else https_context(self._tls)
        family = check_address(self._host, self._port, "--metrics-port")
        server = _Server6 if family == socket.AF_INET6 else _Server
        self._server = make_server(self._host, self._port, self._app, server, _Handler)
        self._server.tls = context
        # A process that stops waits for half a second by default; looks twenty times a second cost as much as all else.
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.25}, name="metrics", daemon=True
        ).start()
        return self._server.server_port

    def stop(self) -> None:
        """Let go of the port. Idempotent."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def application(telemetry: Telemetry, ready: Ready, degraded: Ready = lambda: "") -> WSGIApplication:
    """The three paths as a WSGI application."""
    metrics = make_wsgi_app(telemetry.registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            status, text = "405 Method Not Allowed", "GET and HEAD"
        elif path == "/healthz":
            status, text = "200 OK", "ok"
        elif path == "/readyz":
            reason = ready()
            if reason:
                status, text = "503 Service Unavailable", reason
            else:
                waits = degraded()
                status, text = "200 OK", f"ok; {waits}" if waits else "ok"
        else:
            status, text = "404 Not Found", "there are /metrics, /healthz and /readyz"
        body = f"{text}\n".encode()
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]

    return answer


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: a line a scrape says nothing."""


class _Server(ThreadingWSGIServer):
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        """See socketserver. Hands are shaken in the connection's own thread, which has SILENCE_SECONDS for it."""
        accepted, address = super().get_request()
        if self.tls is None:
            return accepted, address
        return self.tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing for a connection that broke, or that speaks no TLS: whoever looks has its own words for it."""
        if not isinstance(sys.exception(), OSError):
            diagnostics.exception("a request to the port of numbers failed")


class _Server6(_Server):
    address_family = socket.AF_INET6
