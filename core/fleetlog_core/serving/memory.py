"""Memory that large answers took goes back to the system: allocators keep what was freed, for as long as they live."""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import sys

LARGE_BYTES = 8 * 1024 * 1024
"""Freed bytes from which on it is worth while: a look through the heap takes milliseconds."""
PAUSE_SECONDS = 1.0
"""Seconds from the end of a large answer until memory is given back: once for all that ended meanwhile."""


class FreedMemory:
    """Gives back what was freed, a while after it was. For one event loop."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def freed(self, size: int) -> None:
        """An answer that held this many bytes ended."""
        if size >= LARGE_BYTES and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._give_back)

    def _give_back(self) -> None:
        self._timer = None
        asyncio.get_running_loop().run_in_executor(None, give_back)


def give_back() -> None:
    """Give freed memory of the C library and of Arrow back to the system; does nothing where neither can."""
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
