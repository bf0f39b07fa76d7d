"""What is logged after a delivery has ended, most likely while the process does: sent at once, kept, or told."""

from __future__ import annotations

import time
from collections.abc import Callable

from fleetlog._events.items import Item, Marker

LATE_SECONDS = 5.0
"""Longest wait in all for what is logged when the process has delivered its last."""
LOST = "lost"


class LateItems:
    """Items of one delivery that were put after its end.

    `send` takes one and the seconds that are left for it, and says in words what became of it; "" = it is delivered.
    """

    def __init__(self, send: Callable[[Item, float], str], warn: Callable[[str, str], None]) -> None:
        self._send = send
        self._warn = warn
        self._seconds = LATE_SECONDS

    def put(self, item: Item) -> None:
        """Take one. From any thread."""
        begun = time.monotonic()
        fate = self._send(item, self._seconds) if self._seconds > 0 else LOST
        self._seconds -= time.monotonic() - begun
        if fate and not isinstance(item, Marker):
            run_id = item.writer.run_id.hex()
            self._warn("late", f"run {run_id}: what is logged after the last delivery of the process is {fate}")
