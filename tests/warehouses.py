"""Warehouses of tests: one that hands on to another, one that nothing may be asked of. A test overrides the rest."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_core.warehouse.port import Answer, Column, Statement
from fleetlog_core.warehouse.wrapped import WrappedWarehouse


class Wrapped(WrappedWarehouse):
    """A warehouse that hands everything on. It tells no versions, as where others write too."""

    def version(self, table: str) -> int | None:
        return None


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
