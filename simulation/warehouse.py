"""The warehouse as one process has it: see Warehouse for what it promises."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_core.warehouse.port import Answer, Column, Statement, WarehouseRefused, WarehouseUnavailable

from simulation.kernel import Killed, Process
from simulation.statements import answer
from simulation.tables import Tables
from simulation.weather import Condition, Weather

LATE_SECONDS = 4.0
"""The longest that an insert is on its way to a warehouse that is slow, or whose answer got lost."""


class ProcessWarehouse:
    """A Warehouse. An insert may be done although it failed, or be done some time after it failed."""

    def __init__(self, tables: Tables, process: Process, weather: Weather) -> None:
        self._tables = tables
        self._process = process
        self._kernel = process.kernel
        self._weather = weather

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        self._way()
        if self._weather.has(Condition.WAREHOUSE_AWAY):
            raise WarehouseUnavailable("the warehouse is away")
        found = answer(self._tables, statement)
        self._way()
        return found

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        self._check_alive()
        # A token says its epoch, and then the topic of its batch.
        self._process.inserts(token.split(":")[1])
        random, weather = self._kernel.random, self._weather
        slow = LATE_SECONDS if weather.has(Condition.WAREHOUSE_SLOW) else 0.01
        outcome: list[Exception | None] = []
        fiber = self._kernel.fiber
        is_ambiguous = weather.has(Condition.WAREHOUSE_AMBIGUOUS)
        fate = random.random() if is_ambiguous else 0.0

        def arrive() -> None:
            if not self._process.alive and random.random() < 0.5:
                return
            try:
                if weather.has(Condition.WAREHOUSE_AWAY):
                    raise WarehouseUnavailable("the warehouse is away")
                self._tables.insert(table, columns, token, self._process.name)
                outcome.append(WarehouseUnavailable("no answer of the warehouse") if fate > 0.5 else None)
            except (WarehouseUnavailable, WarehouseRefused) as error:
                outcome.append(error)
            if fiber is not None and self._process.alive:
                self._kernel.wake(fiber)

        self._kernel.after(random.random() * slow, arrive)
        if is_ambiguous and fate < 0.25:
            # Not there when its caller hears of a failure; it comes later.
            self._kernel.sleep(random.random() * 0.01)
            if not outcome:
                raise WarehouseUnavailable("no answer of the warehouse")
        while not outcome:
            self._kernel.wait()
        self._way()
        if outcome[0] is not None:
            raise outcome[0]

    def execute(self, statement: Statement) -> None:
        """See Warehouse."""
        raise AssertionError("no statement of a world changes tables")

    def version(self, table: str) -> int | None:
        """See Warehouse."""
        return None

    def close(self) -> None:
        """See Warehouse."""

    def _way(self) -> None:
        self._check_alive()
        if self._kernel.fiber is not None:
            most = LATE_SECONDS if self._weather.has(Condition.WAREHOUSE_SLOW) else 0.005
            self._kernel.sleep(self._kernel.random.random() * most)

    def _check_alive(self) -> None:
        if not self._process.alive:
            raise Killed
