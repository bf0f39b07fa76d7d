"""TLS of the HTTP port: who is served, and certificates that are replaced while it serves."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.core.serving.certificates import Authority
from tests.query.web.echo import echoing
from tests.query.web.http import PROTO

NAMES = ("localhost", "127.0.0.1")
CALL = "/fleetlog.v1.QueryService/GetRun"


def connection(port: int, authority: Authority) -> HTTPSConnection:
    """A connection of somebody who trusts the authority alone."""
    return HTTPSConnection("127.0.0.1", port, timeout=120, context=ssl.create_default_context(cafile=authority.ca_file))


def echoed(asking: HTTPSConnection, body: bytes) -> bytes:
    asking.request("POST", CALL, body, {"content-type": PROTO})
    return asking.getresponse().read()


def test_a_certificate_that_is_replaced_is_that_of_the_next_connection_and_the_open_ones_go_on(tmp_path: Path) -> None:
    first, second = Authority.made(tmp_path / "first"), Authority.made(tmp_path / "second")
    files = first.issue(*NAMES, into=tmp_path / "server")
    with echoing(files) as server:
        before = connection(server.port, first)
        assert echoed(before, b"one") == b"one"
        second.issue(*NAMES, into=tmp_path / "server")
        after = connection(server.port, second)
        assert echoed(after, b"two") == b"two"
        with pytest.raises(ssl.SSLCertVerificationError):
            echoed(connection(server.port, first), b"three")
        assert echoed(before, b"four") == b"four", "it was made before"
        before.close()
        after.close()


def test_files_that_are_no_pair_leave_the_one_before_in_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority.made(tmp_path / "ca")
    files = authority.issue(*NAMES, into=tmp_path / "server")
    with echoing(files) as server, caplog.at_level(logging.WARNING):
        files.key.write_text("half")
        for _ in range(2):
            asking = connection(server.port, authority)
            assert echoed(asking, b"one") == b"one"
            asking.close()
    told = [record.message for record in caplog.records if "stays in use" in record.message]
    assert len(told) == 1
    assert "tls.key has no private key in PEM" in told[0]


def test_who_speaks_without_tls_gets_nothing(tmp_path: Path) -> None:
    files = Authority.made(tmp_path / "ca").issue(*NAMES, into=tmp_path / "server")
    with echoing(files) as server, socket.create_connection(("127.0.0.1", server.port), timeout=120) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = b""
        # It ends the connection, after a word of TLS or without.
        with contextlib.suppress(ConnectionResetError):
            answer = plain.recv(1000)
        assert b"HTTP/" not in answer
