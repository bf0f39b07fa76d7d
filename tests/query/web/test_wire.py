"""What peers do on the wire: foreign headers, bodies that are too long, callers that leave, and those that dawdle."""

from __future__ import annotations

import contextlib
import socket

import pytest
from fleetlog_deploy.node import Node
from fleetlog_query.web import connections, exchange

from tests.query.web.http import JSON, QUERY, Http
from tests.waiting import reached

NEVER = b'{"position": {"offsets": [{"topic": "events", "partition": 0, "nextOffset": "1000000000000"}]}}'
SECONDS = 120.0


def sent(port: int, data: bytes) -> socket.socket:
    """A connection over which the bytes went."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    connection.sendall(data)
    return connection


def post(path: str, length: int, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {JSON}", f"content-length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as answer:
        return answer.readline().split(b" ")[1]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"host": "evil.example"}, 403, "HOST_NOT_ALLOWED"),
        ({"origin": "http://evil.example"}, 403, "FOREIGN_ORIGIN"),
        ({"origin": "null"}, 403, "FOREIGN_ORIGIN"),
        ({"sec-fetch-site": "cross-site"}, 403, "FOREIGN_SITE"),
        ({"content-type": "text/plain"}, 415, "CONTENT_TYPE_INVALID"),
        ({"content-type": "application/x-www-form-urlencoded"}, 415, "CONTENT_TYPE_INVALID"),
        ({"content-type": "multipart/form-data; boundary=x"}, 415, "CONTENT_TYPE_INVALID"),
        ({"content-encoding": "gzip"}, 415, "CONTENT_ENCODING"),
    ],
)
def test_what_another_page_can_send_is_refused(http: Http, headers: dict[str, str], status: int, reason: str) -> None:
    answer = http.ask("POST", f"{QUERY}/ListExperiments", b"{}", {"content-type": JSON, **headers})
    assert (answer.status, answer.json["reason"]) == (status, reason), answer.body
    assert "access-control-allow-origin" not in answer.headers


def test_a_name_that_leads_here_sees_no_page_either(http: Http) -> None:
    assert http.get("/", host="evil.example").status == 403
    assert http.get("/").status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "GET"])
def test_a_call_is_a_post(http: Http, method: str) -> None:
    assert http.ask(method, f"{QUERY}/ListExperiments", b"{}", {"content-type": JSON}).status == 405


def test_a_body_that_is_too_long_is_refused_before_it_comes(embedded_web: int) -> None:
    assert status_of(sent(embedded_web, post(f"{QUERY}/GetRun", exchange.BODY_BYTES + 1))) == b"413"


def test_a_body_of_unknown_length_is_cut(embedded_web: int) -> None:
    head = post(f"{QUERY}/GetRun", 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    connection = sent(embedded_web, head + chunk * 4)
    connection.sendall(b"1\r\n \r\n")
    assert status_of(connection) == b"413"


def test_a_body_that_does_not_come_is_not_waited_for(embedded_web: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "BODY_SECONDS", 0.1)
    assert status_of(sent(embedded_web, post(f"{QUERY}/GetRun", 10) + b"{")) == b"408"


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nhost: local"])
def test_a_connection_that_says_nothing_is_closed(
    embedded_web: int, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.1)
    with sent(embedded_web, data) as connection, contextlib.suppress(ConnectionResetError):
        assert connection.recv(1) == b""


def test_a_head_that_does_not_end_is_refused(embedded_web: int) -> None:
    assert status_of(sent(embedded_web, b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 100_000)) == b"400"


def test_who_leaves_ends_the_call_at_the_server(embedded: tuple[Node, str], embedded_web: int) -> None:
    registry, labels = embedded[0].telemetry.registry, {"rpc": "QueryService/WaitForPosition"}
    before = registry.get_sample_value("fleetlog_rpcs_open", labels) or 0
    connection = sent(embedded_web, post(f"{QUERY}/WaitForPosition", len(NEVER)) + NEVER)
    reached(lambda: registry.get_sample_value("fleetlog_rpcs_open", labels) == before + 1)
    connection.close()
    reached(lambda: registry.get_sample_value("fleetlog_rpcs_open", labels) == before)
