"""How many uploads there may be, and how many of them may hold a thread.

An upload takes a thread when enough of it came to be worth one, and all that is slow after that is ended when others
wait. So whoever sends a byte now and then holds a few bytes of memory and no thread.
"""

from __future__ import annotations

from fleetlog_core.serving.budget import Bounds, Budget
from fleetlog_core.serving.pace import WINDOW_SECONDS, Pace
from fleetlog_core.serving.telemetry import Telemetry

OPEN, OPEN_OF_CLIENT = 512, 128
"""Uploads under way, of the process and of one connection; before its thread each holds up to EARLY_BYTES and a
chunk."""
THREADS, THREADS_OF_CLIENT = 32, 16
EARLY_BYTES = 512 * 1024
"""Bytes that came, or the whole of a smaller file, before an upload takes a thread."""


class UploadSlots:
    """The uploads of one process. For one event loop."""

    def __init__(self, telemetry: Telemetry, *, threads: int = THREADS, window_seconds: float = WINDOW_SECONDS) -> None:
        """`window_seconds`: see Pace."""

        def told(reason: str) -> None:
            telemetry.limited.labels(reason).inc()

        busy, slow = "TOO_MANY_UPLOADS", "UPLOAD_TOO_SLOW"
        self.open = Budget(Bounds(OPEN, OPEN_OF_CLIENT, busy, slow, "uploads"), told)
        of_client = min(THREADS_OF_CLIENT, threads)
        storing = Bounds(threads, of_client, busy, slow, "uploads that are being stored")
        self.threads = Budget(storing, told)
        self._window_seconds = window_seconds

    def pace(self) -> Pace:
        """That of a new upload."""
        return Pace(window_seconds=self._window_seconds)
