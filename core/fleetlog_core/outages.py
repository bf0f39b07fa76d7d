"""What can't be done for the time being, for whoever asks why: readiness, clients, the pages of runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fleetlog_core.unavailable import PartUnavailable


class Outage:
    """One kind of work that fails now and then is tried again, as in "the log takes no writes". Thread-safe.

    It begins with a failure and ends with a success. Nothing is written to the diagnostics here: what looks after the
    process asks for the reason, and tells when it comes and when it goes.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._lock = threading.Lock()
        self._reason = ""
        self._shortage = ""
        self._failed_at = 0.0

    def failed(self, error: BaseException) -> None:
        """It failed. The reason stays that of the first failure until it ends."""
        with self._lock:
            self._failed_at = self._clock()
            if not self._reason:
                self._reason = f"{self._what}: {error}"
                self._shortage = error.shortage if isinstance(error, PartUnavailable) else ""

    def ended(self) -> None:
        """It works."""
        # Asked for after every success: the lock is for the one that ends an outage.
        if self._reason:
            with self._lock:
                self._reason = self._shortage = ""

    def reason(self) -> str:
        """What fails and why, for whoever runs the server; empty while it works."""
        return self._reason

    def shortage(self) -> str:
        """Why it fails, in words for clients; empty while it works, and when that is not known."""
        return self._shortage

    def quiet_seconds(self) -> float:
        """How long ago it failed last."""
        return self._clock() - self._failed_at
