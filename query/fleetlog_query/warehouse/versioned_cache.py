"""What was read of a table and still holds: until the next insert into it.

Small reads that every search makes, such as the number of an experiment's name, cost as much as a small search.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fleetlog_core.warehouse.port import Warehouse

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")
KEPT = 1_000


class VersionedCache(Generic[Name, Value]):
    """Values by name, of one version of one table. Used from many threads.

    Nothing is kept where nobody can tell the version: every value is read then.
    """

    def __init__(self, warehouse: Warehouse, table: str) -> None:
        self._warehouse = warehouse
        self._table = table
        self._held: tuple[int | None, dict[Name, Value]] = (None, {})

    def get(self, name: Name, read: Callable[[], Value]) -> Value:
        """The value; `read` when it is not at hand."""
        version = self._warehouse.version(self._table)
        if version is None:
            return read()
        held, values = self._held
        if held != version or len(values) >= KEPT:
            values = {}
            self._held = (version, values)
        if name not in values:
            # Should another batch come while it is read, the value is of that one or of this: both may be given here.
            values[name] = read()
        return values[name]
