"""The requests of a stream, as a handler sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.message import DecodeError

from fleetlog_core.errors import InvalidArgument


class Undecodable:
    """What a deserializer returns for bytes that are not the message: the call is refused in our own words."""


_END = object()


def tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """The deserializer, but Undecodable instead of an error: grpc answers INTERNAL, as if the server were at fault."""

    def decode(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return Undecodable()

    return decode


def refuse_undecodable(request: object) -> None:
    """InvalidArgument UNDECODABLE."""
    if isinstance(request, Undecodable):
        raise InvalidArgument("UNDECODABLE", "the bytes are not the message of this call; send fleetlog.v1 protobuf")


class Arriving:
    """Requests as they come. They end early, and `cut` is true, when the server drains.

    A handler that answers what it took and returns at the end of its requests thereby ends well.
    """

    def __init__(self, requests: AsyncIterator[Any], draining: asyncio.Event) -> None:
        self.cut = False
        self._requests = aiter(requests)
        self._draining = asyncio.ensure_future(draining.wait())

    def __aiter__(self) -> Arriving:
        return self

    async def __anext__(self) -> Any:
        pulled = asyncio.ensure_future(self._pull())
        try:
            await asyncio.wait((pulled, self._draining), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not pulled.done():
                pulled.cancel()
        if not pulled.done():
            self.cut = True
            raise StopAsyncIteration
        request = pulled.result()
        if request is _END:
            raise StopAsyncIteration
        refuse_undecodable(request)
        return request

    def close(self) -> None:
        """Wait for nothing any longer."""
        self._draining.cancel()

    async def _pull(self) -> Any:
        return await anext(self._requests, _END)
