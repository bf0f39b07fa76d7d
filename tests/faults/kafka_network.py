"""A network between fleetlog and Kafka that can be cut, though brokers tell every client where they are themselves.

Each broker has a proxy. In what brokers answer, `host, port` of a broker is a string and four bytes behind it: the port
becomes the proxy's, which changes no length. So the brokers' names must lead to this machine.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.topics import administer
from kafka import KafkaAdminClient

from tests.core.proxy import Proxy

LONGEST = 1 << 16
"""Answers that name brokers are shorter; in longer ones, with records, nothing is replaced."""


class BrokerProxy(Proxy):
    """See Proxy. Answers go on one by one, with the brokers' ports replaced."""

    renamed: Mapping[bytes, bytes] = {}

    def _received(self, source: socket.socket, to_server: bool) -> bytes:
        if to_server:
            return super()._received(source, to_server)
        head = _exactly(source, 4)
        answer = _exactly(source, struct.unpack(">i", head)[0]) if head else b""
        if len(answer) < LONGEST:
            for old, new in self.renamed.items():
                answer = answer.replace(old, new)
        return head + answer


class KafkaNetwork:
    """The way to all brokers."""

    def __init__(self, proxies: list[BrokerProxy]) -> None:
        self._proxies = proxies
        self.bootstrap = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)

    def stall(self) -> None:
        """The brokers are there, and say nothing: as if they were stopped."""
        for proxy in self._proxies:
            proxy.stall()

    def end(self) -> None:
        """The brokers are gone."""
        for proxy in self._proxies:
            proxy.is_down = True
            proxy.cut()

    def mend(self) -> None:
        """They are there again."""
        for proxy in self._proxies:
            proxy.is_down = False
            proxy.resume()


@contextmanager
def kafka_network(settings: KafkaSettings) -> Iterator[KafkaNetwork]:
    """A way of its own to the cluster."""
    brokers = [(str(one["host"]), int(str(one["port"]))) for one in administer(settings, _brokers)]
    with ExitStack() as stack:
        proxies = [stack.enter_context(BrokerProxy(*broker)) for broker in brokers]
        renamed = {
            host.encode() + struct.pack(">i", port): host.encode() + struct.pack(">i", proxy.port)
            for (host, port), proxy in zip(brokers, proxies, strict=True)
        }
        for (host, _), proxy in zip(brokers, proxies, strict=True):
            with socket.create_connection((host, proxy.port), timeout=10):
                proxy.renamed = renamed
        yield KafkaNetwork(proxies)


def _brokers(admin: KafkaAdminClient) -> list[dict[str, object]]:
    return list(admin.describe_cluster()["brokers"])


def _exactly(source: socket.socket, count: int) -> bytes:
    """`count` bytes; none when the connection ends before."""
    found = b""
    while len(found) < count:
        piece = source.recv(count - len(found))
        if not piece:
            return b""
        found += piece
    return found
