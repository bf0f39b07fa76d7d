"""The kernel's own filter, on sockets of this process."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest
from fleetlog_core.serving.listener_filter import MOST, ListenerFilter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has such filters")
SECONDS = 0.3
"""Seconds for a connection on loopback: one that is dropped is tried again by the kernel after one."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as opened:
        yield opened


def connects(listener: socket.socket, source: str) -> bool:
    try:
        socket.create_connection(listener.getsockname()[:2], timeout=SECONDS, source_address=(source, 0)).close()
    except TimeoutError:
        return False
    return True


def test_what_begins_a_connection_from_an_address_is_dropped_and_from_others_taken(listener: socket.socket) -> None:
    found = ListenerFilter(listener.getsockname()[1])
    assert found.drop(["10.0.0.1", "127.0.0.2", "2001:db8::1"])
    assert [connects(listener, f"127.0.0.{n}") for n in (1, 2, 3)] == [True, False, True]
    assert found.drop(["127.0.0.3"])
    assert [connects(listener, f"127.0.0.{n}") for n in (1, 2, 3)] == [True, True, False]
    assert found.drop([])
    assert connects(listener, "127.0.0.3")
    found.close()


def test_as_many_addresses_as_there_may_be(listener: socket.socket) -> None:
    found = ListenerFilter(listener.getsockname()[1])
    assert found.drop([f"2001:db8:{n}::1" for n in range(MOST - 1)] + ["127.0.0.2"])
    assert [connects(listener, f"127.0.0.{n}") for n in (1, 2)] == [True, False]
    found.close()


def test_ipv6_is_refused_by_the_network_of_a_machine() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        found = ListenerFilter(listener.getsockname()[1])
        assert found.drop(["2001:db8::1", "::1:0:0:0:1"])
        assert connects(listener, "::1")
        assert found.drop(["2001:db8::1", "::7"])
        assert not connects(listener, "::1")
        found.close()


def test_an_open_connection_stays_and_the_port_is_free_at_the_end(listener: socket.socket) -> None:
    address = listener.getsockname()[:2]
    found = ListenerFilter(address[1])
    with socket.create_connection(address, timeout=10, source_address=("127.0.0.2", 0)) as there:
        accepted, _ = listener.accept()
        assert found.drop(["127.0.0.2"])
        there.sendall(b"still here")
        assert accepted.recv(10) == b"still here"
        accepted.close()
    found.close()
    listener.close()
    socket.create_server(address).close()


def test_a_port_that_is_nobody_s_has_nothing_to_drop(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    assert not ListenerFilter(port).drop(["127.0.0.2"])
