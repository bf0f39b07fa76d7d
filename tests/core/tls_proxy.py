"""TLS in front of a server that has none, on loopback: one event loop, whatever goes through it."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from fleetlog_core.serving.tls import TlsFiles, https_context

PIECE = 1 << 18
LONGEST = 1 << 16
"""Kafka's answers that name brokers are shorter; in longer ones, with records, nothing is replaced."""


class TlsProxy:
    """Forwards to (host, port), from a free port. Its certificate is read again when the files change."""

    def __init__(self, host: str, port: int, files: TlsFiles) -> None:
        self.port = 0
        self.accepted = 0
        """Handshakes that came to terms."""
        self.renamed: Mapping[bytes, bytes] = {}
        """Bytes of Kafka's answers, by what is put in their place, of the same length; empty: it is not Kafka."""
        self._target, self._context = (host, port), https_context(files)
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._leave = asyncio.Event()
        self._ready: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), name="tls")

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._ready.result(120)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """End every connection; those that are made anew meet the certificate that there is by now."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self) -> None:
        # Bytes that nobody takes wait at their sender.
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._context, limit=PIECE)
        self._ready.set_result(int(server.sockets[0].getsockname()[1]))
        await self._leave.wait()
        server.close()
        self._cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._open.add(writer)
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            their_reader, their_writer = await asyncio.open_connection(*self._target, limit=PIECE)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        both = [
            asyncio.create_task(self._forward(reader, their_writer, is_answer=False)),
            asyncio.create_task(self._forward(their_reader, writer, is_answer=True)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            for one in (writer, their_writer):
                one.transport.abort()
            self._open.discard(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while data := await self._piece(reader, is_answer=is_answer):
            writer.write(data)
            await writer.drain()

    async def _piece(self, reader: asyncio.StreamReader, *, is_answer: bool) -> bytes:
        if not (is_answer and self.renamed):
            return await reader.read(PIECE)
        try:
            head = await reader.readexactly(4)
            answer = await reader.readexactly(struct.unpack(">i", head)[0])
        except asyncio.IncompleteReadError:
            return b""
        if len(answer) < LONGEST:
            for old, new in self.renamed.items():
                answer = answer.replace(old, new)
        return head + answer


def brokers_renamed(proxies: Mapping[tuple[str, int], TlsProxy]) -> None:
    """Have the proxies of brokers name each other where Kafka's answers name the brokers.

    `host, port` of a broker is a string and four bytes behind it: the port becomes the proxy's, which changes no
    length.
    """
    renamed = {
        host.encode() + struct.pack(">i", port): host.encode() + struct.pack(">i", proxy.port)
        for (host, port), proxy in proxies.items()
    }
    for proxy in proxies.values():
        proxy.renamed = renamed
