"""Ends a pause of the materializer when somebody reads.

In a thread of its own: what wakes a consumer may have to wait for the log's lock, and no reader waits for that.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from fleetlog_core.readers import Demand, Readers


class ReaderWaker:
    """Calls `wake` whenever the demand of the readers rises. Without readers somebody may read at any time."""

    def __init__(self, readers: Readers | None) -> None:
        self._readers = readers
        self._risen: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """True: somebody reads that did not before; False: it ends."""
        self._thread: threading.Thread | None = None

    def demand(self) -> Demand:
        """How urgently somebody wants what is in the log to be applied."""
        return Demand.READ if self._readers is None else self._readers.demand()

    def start(self, wake: Callable[[], None]) -> None:
        """Begin, unless there are no readers to hear of."""
        if self._readers is None:
            return
        self._thread = threading.Thread(target=self._work, args=(wake,), name="readers", daemon=True)
        self._thread.start()
        self._readers.call_at_rise(lambda: self._risen.put(True))

    def stop(self) -> None:
        """End, after a wake that is under way. Idempotent."""
        if self._thread is not None:
            self._risen.put(False)
            self._thread.join()
            self._thread = None

    def _work(self, wake: Callable[[], None]) -> None:
        while self._risen.get():
            wake()
