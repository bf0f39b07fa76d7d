"""How much of one stream may be under way."""

from __future__ import annotations

import asyncio


class Allowance:
    """Bytes that are out, up to about a bound: whoever takes more waits until some come back. For one event loop.

    What a caller takes when it need not wait may be above the bound, so that anything can be taken, if alone.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._out = 0
        self._is_free = asyncio.Event()
        self._is_free.set()

    async def wait(self) -> None:
        """Until less than the bound is out."""
        await self._is_free.wait()

    def out(self) -> int:
        """Bytes that are out."""
        return self._out

    def take(self, size: int) -> None:
        """`size` bytes more are out."""
        self._out += size
        if self._out >= self._most:
            self._is_free.clear()

    def give_back(self, size: int) -> None:
        """`size` bytes came back."""
        self._out -= size
        if self._out < self._most:
            self._is_free.set()
