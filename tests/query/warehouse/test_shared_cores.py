"""Wide statements leave cores to others, where there are others."""

from __future__ import annotations

from typing import cast

from fleetlog_core.warehouse.engine import select_settings
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_query.warehouse.cancellable import CancellableWarehouse


class Settled:
    """Notes how many threads the engine may use for each statement."""

    def __init__(self) -> None:
        self.threads: list[str | None] = []

    def select(self, statement: Statement, *, timeout_seconds: float = 0.0) -> Answer:
        self.threads.append(select_settings(statement, timeout_seconds).get("max_threads"))
        return Answer({}, 0, 0, 0)


def test_a_wide_statement_has_every_core_or_as_many_as_there_are_for_it_now() -> None:
    settled, most = Settled(), [0]
    reading = CancellableWarehouse(cast(Warehouse, settled), lambda: most[0])
    for most[0] in (0, 1, 4):
        reading.select(Statement("SELECT 1", wide=True))
        reading.select(Statement("SELECT 1"))
    assert settled.threads == [None, "1", "1", "1", "4", "1"]
    reading.close()
