"""GET /live: what stays live, over one WebSocket a tab, since browsers make few connections (see live_frames)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from http import HTTPStatus

import grpc
from fleetlog_core.errors import shown
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from fleetlog_query.web.exchange import headers_of
from fleetlog_query.web.failures import Failure, of_call, refusal
from fleetlog_query.web.live_frames import END, ERROR, MESSAGE, Cancel, FrameInvalid, Opening, frame, parse_frame
from fleetlog_query.web.methods import METHODS, Method
from fleetlog_query.web.upstream import Metadata, Upstream, forwarded

LIVE: Mapping[str, Method] = {path: METHODS[path] for path in ("/fleetlog.v1.QueryService/WatchRuns",)}
"""Calls that go on for as long as somebody looks."""
STREAMS = 32
"""Maximum streams of one socket."""
STREAM_SECONDS = 24 * 3600.0
_UNREADABLE = 1003
"""Code with which a socket is closed whose frames can't be read."""


class Live:
    """An ASGI application for the WebSocket."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket, until it is closed."""
        await receive()
        await send({"type": "websocket.accept"})
        socket = _Socket(self._upstream, forwarded(headers_of(scope)), send)
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                data = message.get("bytes")
                if data is None:
                    raise FrameInvalid("frames are binary")
                await socket.take(parse_frame(data))
        except ClientDisconnected:
            # Said to somebody who left amid a frame of theirs.
            pass
        except FrameInvalid as error:
            await send({"type": "websocket.close", "code": _UNREADABLE, "reason": str(error)})
        finally:
            await socket.close()


class _Socket:
    def __init__(self, upstream: Upstream, metadata: Metadata, send: Send) -> None:
        self._upstream = upstream
        self._metadata = metadata
        self._send = send
        self._streams: dict[int, asyncio.Task[None]] = {}

    async def take(self, taken: Opening | Cancel) -> None:
        """Open a stream or end one."""
        if isinstance(taken, Cancel):
            task = self._streams.get(taken.stream)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self._say(taken.stream, END)
            return
        if taken.stream in self._streams:
            raise FrameInvalid(f"stream {taken.stream} is open already")
        if (failure := self._refusal(taken.path)) is not None:
            await self._say(taken.stream, ERROR, failure.body())
            return
        task = self._streams[taken.stream] = asyncio.create_task(self._serve(taken))
        task.add_done_callback(lambda _: self._streams.pop(taken.stream))

    def _refusal(self, path: str) -> Failure | None:
        if path not in LIVE:
            return refusal(
                HTTPStatus.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN",
                f"{shown(path)} is no call that stays live; POST it",
            )  # fmt: skip
        if len(self._streams) >= STREAMS:
            return refusal(
                HTTPStatus.TOO_MANY_REQUESTS, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS",
                f"{STREAMS} streams of this socket are open; cancel one",
            )  # fmt: skip
        return None

    async def _serve(self, opening: Opening) -> None:
        try:
            answers = self._upstream.stream(LIVE[opening.path], [opening.request], STREAM_SECONDS, self._metadata)
            async with aclosing(answers):
                async for answer in answers:
                    await self._say(opening.stream, MESSAGE, answer)
            await self._say(opening.stream, END)
        except grpc.aio.AioRpcError as error:
            with suppress(ClientDisconnected):
                await self._say(opening.stream, ERROR, of_call(error).body())
        except ClientDisconnected:
            # The socket's own loop hears of it too, and ends all streams.
            pass

    async def _say(self, stream: int, kind: int, data: bytes = b"") -> None:
        await self._send({"type": "websocket.send", "bytes": frame(stream, kind, data)})

    async def close(self) -> None:
        """End all streams."""
        tasks = list(self._streams.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
