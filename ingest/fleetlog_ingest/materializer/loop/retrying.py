"""Calls that are made again until they are answered: what a batch needs may be away for as long as it likes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.outages import Outage
from fleetlog_core.warehouse.port import TimedOut, WarehouseRefused, WarehouseUnavailable

LONGEST_WAIT_SECONDS = 5.0

T = TypeVar("T")


class Stopped(Exception):
    """It was told to stop while it waited for something that does not answer. The batch is done again."""


class Retrying:
    """Makes calls again until `stopped` is set. From any thread.

    `stay` is called before each wait, and a Fenced of it ends the call.
    """

    def __init__(self, outage: Outage, stopped: threading.Event, stay: Callable[[], None]) -> None:
        self._outage = outage
        self._stopped = stopped
        self._stay = stay

    def ask(self, call: Callable[[], T]) -> T:
        """As `call`, for what reads: a statement of ours that is refused says nothing of the records either."""

        def asked() -> T:
            try:
                return call()
            except WarehouseRefused as error:
                raise WarehouseUnavailable(f"a statement is refused: {error}") from error

        return self.call(asked)

    def call(self, call: Callable[[], T]) -> T:
        """The call's answer. Stopped; whatever else it raises than that something is away."""
        wait = 0.05
        while True:
            try:
                done = call()
            except (WarehouseUnavailable, TimedOut, LogUnavailable) as error:
                # The same again with the same token, for as long as it takes: there is nothing else to be done.
                self._outage.failed(error)
                self._wait(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                self._outage.ended()
                return done

    def _wait(self, seconds: float) -> None:
        self._stay()
        if self._stopped.wait(seconds):
            raise Stopped
