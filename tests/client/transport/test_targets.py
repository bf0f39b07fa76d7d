"""Addresses as people write them; and services that are not fleetlog's, named with their address."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import fleetlog
import grpc
import pytest
from fleetlog._delivery.registry import delivery_to
from fleetlog._transport.targets import resolve_target


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, "localhost:7460"),
        ("", "localhost:7460"),
        ("host:1", "host:1"),
        ("host", "host:7460"),
        (" host:1\n", "host:1"),
        ("http://host:1", "host:1"),
        ("HTTP://host:1/", "host:1"),
        ("grpc://host", "host:7460"),
        ("fleetlog://host:1", "host:1"),
        ("https://host:1", "fleetlogs://host:1"),
        ("grpcs://host:1/", "fleetlogs://host:1"),
        ("fleetlogs://host", "fleetlogs://host:7460"),
        ("fleetlogs://::1", "fleetlogs://[::1]:7460"),
        ("fleetlogs://dns:///host:1", "fleetlogs://dns:///host:1"),
        ("::1", "[::1]:7460"),
        ("[::1]", "[::1]:7460"),
        ("http://[::1]:1/", "[::1]:1"),
        ("ipv4:10.0.0.1:1", "ipv4:10.0.0.1:1"),
        ("dns:///host:1", "dns:///host:1"),
        ("unix:/run/fleetlog", "unix:/run/fleetlog"),
    ],
)
def test_an_address_is_taken_as_people_write_it(
    given: str | None, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEETLOG_TARGET", raising=False)
    assert resolve_target(given) == address


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("ftp://host:1", "leave it out"),
        ("host:1/path", "a host and a port"),
        ("host:99999", "port 99999"),
        ("a b:1", "a host and a port"),
        ("[zz]:1", "no IPv6 address"),
        (":1", "a host and a port"),
    ],
)
def test_an_address_that_is_none_is_refused_and_says_what_to_give(given: str, told: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match="host:port") as error:
        fleetlog.Client(given)
    assert error.value.reason == "INVALID_TARGET"
    assert told in error.value.message


@contextmanager
def service(says_first: bytes, answers: bytes) -> Iterator[str]:
    """Something on a port that speaks another protocol."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = listening.accept()
                with one, contextlib.suppress(OSError):
                    one.sendall(says_first)
                    one.recv(1_000)
                    one.sendall(answers)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.parametrize(
    ("first", "answer", "told"),
    [
        (b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "not a fleetlog server"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", b"", "not a fleetlog server"),
        (b"", bytes.fromhex("15030100020246"), "is it a port with TLS, or of another service?"),
    ],
    ids=["HTTP", "SSH", "TLS"],
)
def test_a_service_of_another_kind_is_told_with_its_address(first: bytes, answer: bytes, told: str) -> None:
    with service(first, answer) as target, pytest.raises(fleetlog.Unavailable) as error:
        fleetlog.Client(target).search_runs()
    assert told in error.value.message
    assert target in error.value.message


def test_another_grpc_server_is_told_with_its_address_and_a_start_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with pytest.raises(fleetlog.FleetlogError, match="another service, or an older fleetlog") as error:
            fleetlog.Client(target).search_runs()
        assert (error.value.reason, error.value.code) == ("NOT_FLEETLOG", "UNIMPLEMENTED")
        run = fleetlog.start_run("x", target=target)
        run.log({"x": 1.0})
        run.finish(wait=False)
    finally:
        server.stop(0).wait()
    assert "goes on without a server" in caplog.text
    assert target in caplog.text
    delivery_to(target).close()
