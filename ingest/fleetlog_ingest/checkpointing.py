"""Checkpoints of the warehouse, from a thread of their own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from fleetlog_core.warehouse.checkpoints import Checkpoints, PartsLost
from fleetlog_core.warehouse.port import TimedOut, WarehouseRefused, WarehouseUnavailable

from fleetlog_ingest.materializer.loop.recovery import WarehouseBehind

diagnostics = logging.getLogger(__name__)
QUIET_SECONDS = 3.0
"""For so long nothing is inserted when a checkpoint is written: more than a batch rests while nobody reads."""
LONGEST_SECONDS = 10.0
"""While inserts go on, the time between two checkpoints. More often would be in vain: after a power loss something was
inserted after the last one anyway."""
SERVER_SECONDS = 2.0
"""Seconds between two of a server, which may lose parts while it is used: that is noticed of what a checkpoint has."""
FAILURES = (WarehouseUnavailable, WarehouseRefused, TimedOut, OSError, ValueError)


class Checkpointing:
    """Writes a checkpoint when it is quiet after `poke`, and a last one at `close`. One that fails is tried again.

    `failed` is called, from its thread, when one finds that parts are lost; it ends then.

    Nobody waits for it: what is in the warehouse and in no checkpoint is not known to be on disk, no more.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        failed: Callable[[BaseException], None],
        quiet_seconds: float = QUIET_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._checkpoints = checkpoints
        self._told = failed
        self._quiet_seconds = quiet_seconds
        self._longest_seconds = longest_seconds
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin, with one."""
        self._wanted.set()
        self._thread.start()

    def poke(self) -> None:
        """Something was inserted. From any thread."""
        self._wanted.set()

    def close(self) -> None:
        """Write the last one and end. Idempotent."""
        self._closing.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while self._goes_on():
            try:
                self._write()
            except PartsLost as error:
                self._told(WarehouseBehind(f"the warehouse lost rows while it was used: {error}"))
                return
            self._wanted.wait()
            self._await_quiet()
        with suppress(PartsLost):
            self._write()

    def _await_quiet(self) -> None:
        until = time.monotonic() + self._longest_seconds
        while self._goes_on() and (left := until - time.monotonic()) > 0:
            if not self._wanted.wait(min(self._quiet_seconds, left)):
                return

    def _goes_on(self) -> bool:
        # In this order: `close` sets both, and what it wants is not to be missed.
        self._wanted.clear()
        return not self._closing.is_set()

    def _write(self) -> None:
        try:
            self._checkpoints.write()
        except FAILURES as error:
            self._wanted.set()
            if not self._failed:
                diagnostics.warning("no checkpoint of the warehouse could be written, trying on: %s", error)
            self._failed = True
        else:
            self._failed = False
