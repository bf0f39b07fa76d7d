"""Generations of the tables on a ClickHouse server: the one that lost rows is left, and the next is folded anew.

Generation 1 is the database that the settings name, `tracking`; those after it are `tracking_g2`, `tracking_g3` and so
on. A generation counts once it has the table COMPLETE, which is made last; the highest that counts is the current one,
for every process. Everything that makes one can be done again, and by several at a time: whoever finds one half made
finishes it. One that has the table SUPERSEDED is never served again, whatever becomes of its successor.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetlog_core.warehouse.checkpoints import SUPERSEDED
from fleetlog_core.warehouse.port import Answer, Column, Statement, Warehouse

if TYPE_CHECKING:
    from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings

COMPLETE = "generation_complete"
LOOK_SECONDS = 5.0
_MARK = "CREATE TABLE IF NOT EXISTS {} (nothing UInt8) ENGINE = Null"
_COMPLETE = f"SELECT database FROM system.tables WHERE name = '{COMPLETE}' AND startsWith(database, {{prefix:String}})"


class Generations:
    """The databases of one installation. Thread-safe; connects when it is first asked."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._catalog = _warehouse(replace(settings, database="system", connections=2))

    def newest(self) -> int:
        """Number of the current generation. WarehouseUnavailable, TimedOut."""
        prefix = self.database(0).removesuffix("0")
        found = self._catalog.select(Statement(_COMPLETE, {"prefix": prefix}), timeout_seconds=LOOK_SECONDS)
        suffixes = (database.removeprefix(prefix) for database in found.texts("database"))
        return max((int(suffix) for suffix in suffixes if re.fullmatch(r"[1-9][0-9]{0,8}", suffix)), default=1)

    def database(self, number: int) -> str:
        """Name of the generation's database."""
        return self._settings.database if number == 1 else f"{self._settings.database}_g{number}"

    def opened(self, number: int) -> Warehouse:
        """The generation's tables, whether it counts or not. Its caller closes it."""
        return _warehouse(replace(self._settings, database=self.database(number)))

    def close(self) -> None:
        """Let go. Idempotent."""
        self._catalog.close()


def _warehouse(settings: ClickHouseSettings) -> Warehouse:
    # Nobody else needs the driver.
    from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse

    return ClickHouseWarehouse(settings)


def complete(warehouse: Warehouse) -> None:
    """From now on the generation counts."""
    warehouse.execute(Statement(_MARK.format(COMPLETE)))


def supersede(warehouse: Warehouse) -> None:
    """From now on the generation counts as one that lost rows."""
    warehouse.execute(Statement(_MARK.format(SUPERSEDED)))


class CurrentWarehouse:
    """See Warehouse: the tables of the generation that was current when it was first asked, and no other later."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._lock = threading.Lock()
        self._number = 0
        self._opened: Warehouse | None = None
        self._closed = False

    def number(self) -> int:
        """Number of its generation. WarehouseUnavailable, TimedOut when it was never asked before."""
        self._warehouse()
        return self._number

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        return self._warehouse().select(statement, timeout_seconds=timeout_seconds)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        self._warehouse().insert(table, columns, token)

    def execute(self, statement: Statement) -> None:
        """See Warehouse."""
        self._warehouse().execute(statement)

    def version(self, table: str) -> int | None:
        """See Warehouse: any number of processes write there."""
        return None

    def close(self) -> None:
        """See Warehouse."""
        with self._lock:
            self._closed = True
            opened = self._opened
        if opened is not None:
            opened.close()

    def _warehouse(self) -> Warehouse:
        if self._opened is not None:
            return self._opened
        # Nobody waits here for another's look: each has a time of its own.
        number = self._generations.newest()
        with self._lock:
            if self._opened is None:
                self._opened, self._number = self._generations.opened(number), number
                if self._closed:
                    self._opened.close()
            return self._opened
