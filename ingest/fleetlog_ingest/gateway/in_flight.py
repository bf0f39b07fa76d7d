"""How much of one stream may be on its way into the log."""

from __future__ import annotations

import asyncio

FRAMES = 64
"""Enough for one commit of the log to take many, few enough to bound what a stream holds."""
FRAME_BYTES = 16 * 1024 * 1024
"""Encoded. A frame that is alone is always let in."""


class InFlight:
    """Counts frames in and out. One waits, on one event loop."""

    def __init__(self, frames: int = FRAMES, size_bytes: int = FRAME_BYTES) -> None:
        self._most_frames, self._most_bytes = frames, size_bytes
        self._frames = 0
        self._bytes = 0
        self._left = asyncio.Event()

    async def enter(self, size_bytes: int) -> None:
        """Wait until there is room, and take it."""
        while self._frames and (self._frames >= self._most_frames or self._bytes + size_bytes > self._most_bytes):
            self._left.clear()
            await self._left.wait()
        self._frames += 1
        self._bytes += size_bytes

    def leave(self, size_bytes: int) -> None:
        """Give the room back."""
        self._frames -= 1
        self._bytes -= size_bytes
        self._left.set()
