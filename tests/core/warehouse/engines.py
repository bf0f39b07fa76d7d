"""The warehouses of the contract: chDB in another process, and a database of a ClickHouse server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import cast

from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.port import Statement, Warehouse

from tests.empty_warehouses import copy_empty_warehouse
from tests.own_processes import SPAWN
from tests.servers import unique


class _Process(BaseManager):
    """Calls go to a process; each thread here has a thread there."""


_Process.register("warehouse", ChdbWarehouse)
_idle: list[_Process] = []


@contextmanager
def chdb(path: Path, *, migrated: bool = True) -> Iterator[Warehouse]:
    """Below the path, with the tables of `migrate` or without any. Its process is kept for the next one."""
    if migrated:
        copy_empty_warehouse(path / "warehouse")
    process = _idle.pop() if _idle else _started()
    try:
        warehouse = cast(Warehouse, getattr(process, "warehouse")(path / "warehouse"))  # noqa: B009
        yield warehouse
        warehouse.close()
    except BaseException:
        process.shutdown()
        raise
    _idle.append(process)


def _started() -> _Process:
    process = _Process(ctx=SPAWN)
    process.start()
    return process


@contextmanager
def clickhouse(url: str, **settings: int | float | bool) -> Iterator[Warehouse]:
    """In a database that is there for the test alone."""
    database = unique("test").replace("-", "_")
    warehouse = ClickHouseWarehouse(replace(ClickHouseSettings.from_url(url), database=database, **settings))  # type: ignore[arg-type]
    dropping = ClickHouseWarehouse(replace(ClickHouseSettings.from_url(url), database="default"))
    try:
        # As a migration does: it makes the database.
        warehouse.execute(Statement("SELECT 1"))
        yield warehouse
    finally:
        warehouse.close()
        dropping.execute(Statement(f"DROP DATABASE IF EXISTS {database} SYNC"))
        dropping.close()
