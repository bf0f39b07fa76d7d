"""A TCP proxy on loopback that cuts, stalls and refuses where it is told to; with a context it speaks TLS in front."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards to (host, port), from port `at` or a free one. Counters and switches may be used while it runs."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None, *, at: int = 0) -> None:
        self._target = (host, port)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", at))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._pause = threading.Event()
        self._closed = False
        self.accepted = 0
        self.lost: bytearray | None = None
        """While it is one, what the server says comes in here and goes nowhere. Cut before you set it back."""
        self.is_down = False
        """End every new connection at once."""
        self.cut_after_sent: int | None = None
        """Cut every connection once so many bytes went to the server in all; these bytes still arrive."""
        self.cut_answers = False
        """Cut a connection instead of handing on what the server says next."""
        self.cut_after_answered: int | None = None
        """Cut every connection once so many bytes came from the server in all; these bytes still arrive."""
        self.bytes_per_second: int | None = None
        """Hand on no more than so many each way, of one connection after another."""
        self.sent = self._answered = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closed = True
        self._flowing.set()
        self._pause.set()
        # Wakes the accept; closing alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection; new ones are taken."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def stall(self) -> None:
        """Hand nothing on, and end nothing: the network that lost its packets."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let it flow again."""
        self._flowing.set()

    def _accept(self) -> None:
        while not self._closed:
            client = None
            try:
                client, _ = self._listener.accept()
                if self.is_down:
                    raise ConnectionRefusedError
                if self._tls is not None:
                    client = self._tls.wrap_socket(client, server_side=True)
                server = socket.create_connection(self._target)
            except OSError:
                if client is not None:
                    client.close()
                continue
            self.accepted += 1
            self._open += [client, server]
            threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        try:
            while data := self._received(source, to_server):
                self._flowing.wait()
                if not to_server and self.lost is not None:
                    self.lost += data
                    continue
                if to_server:
                    self.sent += len(data)
                elif self.cut_answers:
                    break
                else:
                    self._answered += len(data)
                target.sendall(data)
                if self.bytes_per_second is not None:
                    self._pause.wait(len(data) / self.bytes_per_second)
                if _over(self.sent, self.cut_after_sent) or _over(self._answered, self.cut_after_answered):
                    break
        except OSError:
            pass
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            # The other direction's recv ends by the shutdown; a close under it would free its number for another.
        if to_server:
            return
        source.close()
        target.close()

    def _received(self, source: socket.socket, to_server: bool) -> bytes:
        """What to hand on next; empty at the end."""
        return source.recv(1 << 16 if self.bytes_per_second is None else max(1, self.bytes_per_second // 20))


def _over(count: int, limit: int | None) -> bool:
    return limit is not None and count > limit
