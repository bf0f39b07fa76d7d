"""Databases of a ClickHouse server that are there for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.port import Statement

from tests.servers import unique


@contextmanager
def database(url: str) -> Iterator[str]:
    """The URL of a database that the first migration makes; all its generations are dropped at the end."""
    name = unique("test").replace("-", "_")
    base = url.rpartition("/")[0]
    try:
        yield f"{base}/{name}"
    finally:
        with closing(ClickHouseWarehouse(ClickHouseSettings.from_url(f"{base}/default"))) as dropping:
            for found in databases(dropping, name):
                dropping.execute(Statement(f"DROP DATABASE IF EXISTS {found} SYNC"))


def databases(warehouse: ClickHouseWarehouse, name: str) -> list[str]:
    """Names of the database and of its later generations that there are, in order."""
    sql = (
        "SELECT name FROM system.databases WHERE name = {name:String} OR startsWith(name, {later:String}) ORDER BY name"
    )
    return warehouse.select(Statement(sql, {"name": name, "later": f"{name}_g"})).texts("name")
