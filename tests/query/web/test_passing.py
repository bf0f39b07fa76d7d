"""What passes the HTTP port on its way to gRPC and back, over a server that answers with what it was asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from fleetlog_query.web.envelopes import END, envelope
from fleetlog_query.web.methods import METHODS

from tests.query.web.echo import Echo, echoing
from tests.query.web.http import QUERY, Http
from tests.query.web.test_wire import post, sent

CONNECT = "application/connect+proto"
NOT_UTF8 = b"\x00\xff\xfe any bytes \x80"


@pytest.fixture(scope="module")
def server() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo


@pytest.fixture
def http(server: Echo) -> Iterator[Http]:
    connection = Http(server.port)
    yield connection
    connection.close()


@pytest.mark.parametrize("path", sorted(METHODS))
def test_every_call_passes_bytes_unchanged(http: Http, path: str) -> None:
    method = METHODS[path]
    if method.is_unary:
        answer = http.call(path, NOT_UTF8)
        assert (answer.status, answer.body) == (200, NOT_UTF8)
        return
    end = envelope(b"{}", END)
    if not method.streams_requests:
        answer = http.call(path, envelope(NOT_UTF8), CONNECT)
        wanted = envelope(NOT_UTF8) + envelope(b"") + envelope(NOT_UTF8)
    else:
        answer = http.call(path, envelope(NOT_UTF8) + envelope(b"2"), CONNECT)
        both = envelope(NOT_UTF8) + envelope(b"2")
        wanted = both if method.streams_responses else envelope(NOT_UTF8 + b"|2")
    assert (answer.status, answer.body) == (200, wanted + end)


def test_large_answers_are_whole(http: Http) -> None:
    large = bytes(range(256)) * 16_000
    assert http.call(f"{QUERY}/GetRun", large).body == large


def test_who_asks_and_for_how_long_is_handed_on_and_nothing_else(http: Http, server: Echo) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    http.call(
        f"{QUERY}/GetRun", b"", authorization="Bearer t", traceparent=trace, cookie="secret=1",
        **{"connect-timeout-ms": "900000", "x-other": "y"},
    )  # fmt: skip
    assert server.metadata["authorization"] == "Bearer t"
    assert server.metadata["traceparent"] == trace
    assert not {"cookie", "x-other", "host"} & set(server.metadata)
    assert 600 < server.seconds <= 905
    http.call(f"{QUERY}/GetRun", b"")
    assert "authorization" not in server.metadata
    assert 0 < server.seconds <= 65


def test_a_stop_lets_calls_end_and_then_ends_them() -> None:
    with echoing() as server:
        server.holding = True
        connection = sent(server.port, post(f"{QUERY}/ListExperiments", 2) + b"{}")
        assert server.held.wait(120)
        server.stop(0.2)
        assert server.cancelled.wait(120)
        connection.close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port), timeout=120)
