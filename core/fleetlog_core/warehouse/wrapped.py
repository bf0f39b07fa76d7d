"""A warehouse that hands everything on to another: what stands before a warehouse overrides what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_core.warehouse.port import Answer, Column, Statement, Warehouse


class WrappedWarehouse:
    """See Warehouse: the one that it is given."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        return self._warehouse.select(statement, timeout_seconds=timeout_seconds)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        self._warehouse.insert(table, columns, token)

    def execute(self, statement: Statement) -> None:
        """See Warehouse."""
        self._warehouse.execute(statement)

    def version(self, table: str) -> int | None:
        """See Warehouse."""
        return self._warehouse.version(table)

    def close(self) -> None:
        """See Warehouse."""
        self._warehouse.close()
