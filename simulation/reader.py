"""A query service as far as a position goes: it waits until the tables have it, and reads what is visible."""

from __future__ import annotations

import asyncio

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import DeadlineExceeded
from fleetlog_core.position import from_proto
from fleetlog_core.warehouse.port import TimedOut, WarehouseUnavailable
from fleetlog_proto.v1 import position_pb2

from simulation.event_loop import Loop
from simulation.executors import Result
from simulation.kernel import Process
from simulation.tables import Tables
from simulation.warehouse import ProcessWarehouse
from simulation.weather import Weather

PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.1


class Reader:
    """One query service. Readers call `read` in threads of theirs."""

    def __init__(self, process: Process, tables: Tables, weather: Weather) -> None:
        self.process = process
        self._tables = tables
        self._loop = Loop(process)  # type: ignore[abstract]
        self._applied = AppliedWatch(ProcessWarehouse(tables, process, weather), LOOK_SECONDS)

    def read(self, position: position_pb2.Position, patience_seconds: float = PATIENCE_SECONDS) -> set[float] | None:
        """Values of all points, not before the position is reached; None: it was not reached in time."""
        done = Result()
        kernel = self.process.kernel
        kernel.after(kernel.random.random() * 0.01, lambda: self._begin(position, patience_seconds, done), self.process)
        found: set[float] | None = done.result()
        return found

    def _begin(self, position: position_pb2.Position, patience_seconds: float, done: Result) -> None:
        self._loop.create_task(self._read(position, patience_seconds, done))

    async def _read(self, position: position_pb2.Position, patience_seconds: float, done: Result) -> None:
        try:
            await self._applied.wait(from_proto(position), patience_seconds)
        except (DeadlineExceeded, WarehouseUnavailable, TimedOut):
            done.set_result(None)
            return
        await asyncio.sleep(self.process.kernel.random.random() * 0.01)
        done.set_result({row["value"] for row in self._tables.all("points")})
