"""The statements of one read."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from fleetlog_core.warehouse.port import Answer, Statement

from fleetlog_query.warehouse.cancellable import CancellableWarehouse

Result = TypeVar("Result")


class Reads:
    """Statements that have so many seconds, all of them together."""

    def __init__(self, warehouse: CancellableWarehouse, timeout_seconds: float) -> None:
        self._warehouse = warehouse
        self._deadline = time.monotonic() + timeout_seconds

    def select(self, statement: Statement) -> Answer:
        """See Warehouse. TimedOut when the time was used up before, too."""
        return self._warehouse.select(statement, timeout_seconds=max(0.001, self._deadline - time.monotonic()))

    def beside(self, function: Callable[[], Result]) -> Future[Result]:
        """Call the function in another thread."""
        return self._warehouse.beside(function)
