"""Ports for servers of tests."""

from __future__ import annotations

import itertools
import os
import socket

_ports = itertools.count(12_000 + os.getpid() * 1_009 % 18_000)
"""Far from those of processes whose numbers are near: two that look at the same port both find it free."""


def free_port() -> int:
    """A port that nobody has, another one each time: a client remembers how far the server of an address was.

    Below the ports that the kernel gives to clients: who dials one of those while nobody listens meets itself.
    """
    for port in _ports:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
