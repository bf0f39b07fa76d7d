"""The tables of a world: rows of what was inserted, once for each token, and the versions that stay.

What ClickHouse makes of rows by itself (sums of series, merges) is not here: tests on the engine are for that. See
statements.py for what can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from fleetlog_core.warehouse.port import Coded, Column, WarehouseRefused

from simulation.history import History

Row = dict[str, Any]
KEYS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "runs": (("namespace", "experiment", "run_id"), "ver"),
    "run_homes": (("namespace", "run_id"), ""),
    "writers": (("namespace", "run_id", "writer_id"), "next_offset"),
    "run_attrs": (("namespace", "run_id", "kind", "key"), "ver"),
    "attrs": (("namespace", "experiment", "kind", "key", "run_id"), "ver"),
    "tag_history": (("namespace", "run_id", "key", "ver"), ""),
    "run_history": (("namespace", "experiment", "run_id", "ver"), ""),
    "problems": (("namespace", "run_id", "part", "off", "place"), ""),
    "applied": (("topic", "part"), "next_offset"),
    "pending_artifacts": (("namespace", "run_id", "part", "off", "ver"), "stored"),
    "rebuilds": (("topic", "part"), "next_offset"),
    "outcomes": (("namespace", "request_id"), "off"),
    "experiments": (("namespace", "experiment"), "ver"),
    "experiment_history": (("namespace", "experiment", "ver"), ""),
    "registered_models": (("namespace", "model_id"), "ver"),
    "model_versions": (("namespace", "model_id", "version"), "ver"),
    "model_approvals": (("namespace", "model_id", "number"), "ver"),
    "registry_history": (("namespace", "model_id", "ver", "place"), ""),
}
"""Tables that keep one row of a key, with the column whose highest value stays; "": the last one."""


def rows_of(columns: Mapping[str, Column]) -> list[Row]:
    """Columns as rows."""
    values = [_values(column) for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _values(column: Column) -> Sequence[Any]:
    if isinstance(column, Coded):
        texts = column.texts
        return [texts[code] for code in column.codes.tolist()]
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "V":
            # Ids; or versions, which are whole numbers of 16 or 32 bytes, little-endian.
            return [value.tobytes() for value in column]
        return list(column.tolist())
    return column


class Tables:
    """One warehouse. `inserted` is told of each insert that was not there; `refuses` says which rows can't be held."""

    def __init__(
        self, history: History, inserted: Callable[[str, list[Row]], None] = lambda table, rows: None,
        refuses: Callable[[str, list[Row]], bool] = lambda table, rows: False,
    ) -> None:  # fmt: skip
        self._history = history
        self._inserted = inserted
        self._refuses = refuses
        self._tokens: set[tuple[str, str]] = set()
        self.rows: dict[str, list[Row]] = {}
        self._final: dict[str, dict[tuple[Any, ...], Row]] = {table: {} for table in KEYS}

    def insert(self, table: str, columns: Mapping[str, Column], token: str, who: str = "") -> None:
        """Insert rows, all or none; nothing when the token was there. WarehouseRefused."""
        if (table, token) in self._tokens:
            self._history.add(who, f"inserts {table} again, {token}")
            return
        rows = rows_of(columns)
        if self._refuses(table, rows):
            raise WarehouseRefused(f"a row of {table} can't be held")
        self._tokens.add((table, token))
        self._history.add(who, f"inserts {table}, {len(rows)} rows, {token}")
        self.rows.setdefault(table, []).extend(rows)
        if table in KEYS:
            key, version = KEYS[table]
            final = self._final[table]
            for row in rows:
                name = tuple(row[column] for column in key)
                before = final.get(name)
                if before is None or not version or _number(row[version]) >= _number(before[version]):
                    final[name] = row
        self._inserted(table, rows)

    def all(self, table: str) -> list[Row]:
        """Every row of a table."""
        return self.rows.get(table, [])

    def final(self, table: str) -> Iterator[Row]:
        """The rows that stay."""
        return iter(self._final[table].values())


def _number(value: Any) -> int:
    return int.from_bytes(value, "little") if isinstance(value, bytes) else int(value)
