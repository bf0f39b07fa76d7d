"""One POST to a webhook's target: to an address that may be reached, within a time; redirects are not followed."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.webhooks import check_webhook_url, is_public

CONNECT_SECONDS = 10.0
TOTAL_SECONDS = 30.0
"""Seconds after which a connection is cut, however slowly its target goes on answering."""
BODY_BYTES = 4_000
"""Bytes of an answer that are read."""


@dataclass(frozen=True, slots=True)
class TargetRules:
    """Which targets may be told of changes."""

    allow_http: bool = False
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt went."""

    status: int
    """HTTP status; 0 = there was no answer."""
    error: str
    """Why it failed; empty = the target took it."""
    body: str = ""


class _Refused(OSError):
    """No address of the target may be reached."""


def post(url: str, body: bytes, headers: Mapping[str, str], rules: TargetRules) -> Answer:
    """Send it once. What fails is told in the answer."""
    try:
        parts = check_webhook_url(url, allow_http=rules.allow_http, allow_private=rules.allow_private)
    except InvalidArgument as error:
        return Answer(0, error.message)
    connection = _Connection(parts.hostname or "", parts.port, parts.scheme == "https", rules)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        text = response.read(BODY_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, _words(error))
    finally:
        connection.close()
    if 200 <= response.status < 300:
        return Answer(response.status, "", text)
    moved = "; redirects are not followed" if 300 <= response.status < 400 else ""
    return Answer(response.status, f"the target answered {response.status}{moved}", text)


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was looked at, and to no other one of the name."""

    def __init__(self, host: str, port: int | None, encrypted: bool, rules: TargetRules) -> None:
        super().__init__(host, port or (443 if encrypted else 80), timeout=CONNECT_SECONDS)
        self._encrypted = encrypted
        self._rules = rules
        self._cut: threading.Timer | None = None

    def connect(self) -> None:
        """See the base class. OSError."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        allowed = [one for one in addresses if self._rules.allow_private or is_public(one)]
        if not allowed:
            raise _Refused("the target is in the server's own network, which is not allowed")
        plain = socket.create_connection((allowed[0], self.port), CONNECT_SECONDS)
        self.sock = plain
        self._cut = threading.Timer(TOTAL_SECONDS, _cut, (plain,))
        self._cut.daemon = True
        self._cut.start()
        if self._encrypted:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)

    def close(self) -> None:
        """See the base class."""
        if self._cut is not None:
            self._cut.cancel()
        super().close()


def _cut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _words(error: Exception) -> str:
    """Returns what failed, without addresses of the server's network or texts of the target."""
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the target did not answer in time"
    if isinstance(error, socket.gaierror):
        return "the target's name can't be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the target's certificate is not trusted"
    if isinstance(error, ssl.SSLError):
        return "the target does not speak TLS as it should"
    if isinstance(error, ConnectionRefusedError):
        return "the target refuses the connection"
    if isinstance(error, http.client.HTTPException):
        return "the target does not answer as HTTP says"
    return "the connection to the target broke"
