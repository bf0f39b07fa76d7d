"""Sockets of the driver that are closed when they can't connect; left alone they stay open until garbage is collected.

The driver lets a scheme of a proxy's URL say how it connects. This one connects straight, and cleans up.
"""

from __future__ import annotations

from socket import socket

from kafka.net.inet import KafkaNetSocket

DIRECT = "direct://"
"""The `proxy_url` of every client."""


class DirectSocket(KafkaNetSocket):
    """Registered with the driver under its scheme by being defined."""

    SCHEMES = ("direct",)

    async def sock_connect(
        self, net: object, sock: socket, sockaddr: tuple[object, ...], timeout_at: float | None = None
    ) -> socket:
        """The socket, connected; closed on any failure."""
        try:
            await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise
        return sock
