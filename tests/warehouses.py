"""Warehouses of tests: one that hands on to another, one that nothing may be asked of. A test overrides the rest."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_core.warehouse.port import Answer, Column, Statement, Warehouse


class Wrapped:
    """A warehouse that hands everything on. It tells no versions, as where others write too."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        return self._warehouse.select(statement, timeout_seconds=timeout_seconds)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        self._warehouse.insert(table, columns, token)

    def execute(self, statement: Statement) -> None:
        self._warehouse.execute(statement)

    def version(self, table: str) -> int | None:
        return None

    def close(self) -> None:
        self._warehouse.close()


class Untouched:
    """A warehouse that nothing is asked of."""

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        raise AssertionError(statement)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        raise AssertionError(table)

    def execute(self, statement: Statement) -> None:
        raise AssertionError(statement)

    def version(self, table: str) -> int | None:
        return None

    def close(self) -> None:
        """Nothing is held."""
