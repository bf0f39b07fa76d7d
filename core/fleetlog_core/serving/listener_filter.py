"""A filter of addresses on a socket that listens: the kernel drops what they send to begin a connection.

gRPC accepts by itself whatever comes, and has no limit by address, so this is asked of the system: a socket filter, the
classic form, which Linux gives to whoever owns the socket, without any privilege. Elsewhere nothing is dropped.
Connections that are there already stay.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

MOST = 64
"""Addresses in a filter: further ones are left out."""
IPV6_PREFIX_BYTES = 8
"""Bytes of an IPv6 address that are looked at: the rest is for each machine to choose, as often as it likes."""
_ATTACH, _DETACH = 26, 27
"""SO_ATTACH_FILTER and SO_DETACH_FILTER of Linux, which Python has no names for."""
_IP = 0xFFF00000
"""SKF_NET_OFF: offsets from the begin of the packet's IP header."""
_LOAD_WORD, _LOAD_BYTE, _SHIFT_RIGHT, _IF_EQUAL, _RETURN = 0x20, 0x30, 0x74, 0x15, 0x06
_TAKE = 0xFFFFFFFF
_SOURCE = {4: 12, 6: 8}
"""Where the source address is in the IP header, by version."""


def program(addresses: Iterable[str]) -> bytes:
    """Instructions that drop packets from the addresses and take all others."""
    steps: list[bytes] = []
    for text in list(addresses)[:MOST]:
        address = ipaddress.ip_address(text)
        packed = address.packed if address.version == 4 else address.packed[:IPV6_PREFIX_BYTES]
        words = struct.unpack(f">{len(packed) // 4}I", packed)
        # Each test that fails goes on behind the last step for this address.
        left = 2 * len(words) + 1
        steps += [_step(_LOAD_BYTE, _IP), _step(_SHIFT_RIGHT, 4), _step(_IF_EQUAL, address.version, otherwise=left)]
        for place, word in enumerate(words):
            left -= 2
            steps += [
                _step(_LOAD_WORD, _IP + _SOURCE[address.version] + 4 * place),
                _step(_IF_EQUAL, word, otherwise=left),
            ]
        steps.append(_step(_RETURN, 0))
    steps.append(_step(_RETURN, _TAKE))
    return b"".join(steps)


class ListenerFilter:
    """The sockets of this process that listen on a port. To be closed before they are to let go of it."""

    def __init__(self, port: int) -> None:
        """Finds them among all that is open, so it is for a process that has few connections yet."""
        self._listeners = list(_listeners(port))

    def drop(self, addresses: Iterable[str]) -> bool:
        """Drop what begins a connection from the addresses; of none, nothing any more. False where the system can't."""
        steps = program(addresses)
        kept = ctypes.create_string_buffer(steps)
        count, where = len(steps) // struct.calcsize("HBBI"), ctypes.addressof(kept)
        attached = False
        for listener in self._listeners:
            with suppress(OSError):
                if count == 1:
                    listener.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
                else:
                    listener.setsockopt(socket.SOL_SOCKET, _ATTACH, struct.pack("@HP", count, where))
                attached = True
        return attached

    def close(self) -> None:
        """Let go of the sockets. Idempotent."""
        while self._listeners:
            self._listeners.pop().close()


def _step(code: int, operand: int, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, 0, otherwise, operand)


def _listeners(port: int) -> Iterator[socket.socket]:
    """Sockets that listen on the port: gRPC opened them, and tells nobody which they are."""
    if sys.platform != "linux":
        return
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            if str(entry.readlink()).startswith("socket:"):
                one = socket.socket(fileno=os.dup(int(entry.name)))
                if _listens(one, port):
                    yield one
                else:
                    one.close()


def _listens(one: socket.socket, port: int) -> bool:
    if one.family not in (socket.AF_INET, socket.AF_INET6) or one.type != socket.SOCK_STREAM:
        return False
    return one.getsockname()[1] == port and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
