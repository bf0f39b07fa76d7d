"""Checkpoints of the warehouse, from a thread of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from fleetlog_core.warehouse.checkpoints import Checkpoints, PartsLost
from fleetlog_core.warehouse.port import TimedOut, WarehouseRefused, WarehouseUnavailable

from fleetlog_ingest.materializer.loop.recovery import WarehouseBehind

diagnostics = logging.getLogger(__name__)
PAUSE_SECONDS = 2.0
"""The shortest time between two checkpoints."""
FAILURES = (WarehouseUnavailable, WarehouseRefused, TimedOut, OSError, ValueError)


class Checkpointing:
    """Writes a checkpoint soon after `poke`, and a last one at `close`. One that fails is tried again.

    `failed` is called, from its thread, when one finds that parts are lost; it ends then.

    Nobody waits for it: what is in the warehouse and in no checkpoint is not known to be on disk, no more.
    """

    def __init__(
        self, checkpoints: Checkpoints, failed: Callable[[BaseException], None], pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._checkpoints = checkpoints
        self._told = failed
        self._pause_seconds = pause_seconds
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
        while not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._write()
            except PartsLost as error:
                self._told(WarehouseBehind(f"the warehouse lost rows while it was used: {error}"))
                return
            self._closing.wait(self._pause_seconds)
        with suppress(PartsLost):
            self._write()

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
