"""A project's SQLite file, whatever version of trackio made it: read-only, also while a training writes to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLES = ("metrics", "system_metrics", "configs")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: its number there, and its JSON."""

    id: int
    step: int | None
    time: str
    content: str


class Database:
    """Reads the tables of one project. sqlite3.Error: the file can't be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as connection:
            self._columns = {
                table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
                for table in (*_TABLES, "alerts", "traces", "artifact_versions")
            }
        if not self._columns["metrics"]:
            raise sqlite3.DatabaseError("it has no table `metrics`")

    def runs(self) -> Mapping[str, tuple[str, str, str]]:
        """Name, first and last time of each run, by its id: before versions that have ids, its name is its id."""
        found: dict[str, tuple[str, str, str]] = {}
        with self._open() as connection:
            for table in _TABLES:
                if not self._columns[table]:
                    continue
                key = self._key(table)
                # A config is stored again by later versions: what it says is not when the run ended.
                first, last = ("created_at", "''") if table == "configs" else ("timestamp", "timestamp")
                statement = f"SELECT {key}, max(run_name), min({first}), max({last}) FROM {table} GROUP BY {key}"
                for id_, name, begin, end in connection.execute(statement):
                    before = found.get(str(id_), (str(name), str(begin), str(end)))
                    found[str(id_)] = (before[0], min(before[1], str(begin)), max(before[2], str(end)))
        return found

    def config(self, run: str) -> str | None:
        """JSON of the run's config."""
        if not self._columns["configs"]:
            return None
        with self._open() as connection:
            statement = f"SELECT config FROM configs WHERE {self._key('configs')} = ? ORDER BY id DESC"
            row = connection.execute(statement, [run]).fetchone()
        return None if row is None else _text(row[0])

    def rows(self, table: str, run: str) -> Iterator[Row]:
        """Lines of `metrics` or `system_metrics` in the order in which they were written."""
        if not self._columns[table]:
            return
        step = "step" if "step" in self._columns[table] else "NULL"
        statement = f"SELECT id, {step}, timestamp, metrics FROM {table} WHERE {self._key(table)} = ? ORDER BY id"
        with self._open() as connection:
            for id_, at, time, content in connection.execute(statement, [run]):
                yield Row(id_, at if isinstance(at, int) else None, str(time), _text(content))

    def lines(self, table: str, run: str) -> Iterator[Mapping[str, Any]]:
        """Lines of any other table of the run, with all their columns."""
        if "run_name" in self._columns[table]:
            with self._open() as connection:
                connection.row_factory = sqlite3.Row
                for row in connection.execute(f"SELECT * FROM {table} WHERE {self._key(table)} = ?", [run]):
                    yield dict(row)

    def count(self, table: str) -> int:
        """Number of lines of a table; 0 where there is none."""
        if not self._columns[table]:
            return 0
        with self._open() as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def _key(self, table: str) -> str:
        return "run_id" if "run_id" in self._columns[table] else "run_name"

    def _open(self) -> closing[sqlite3.Connection]:
        # Without a log beside it the file is all there is, and can be read in a folder that can't be written.
        is_whole = not self.path.with_name(f"{self.path.name}-wal").exists()
        mode = "mode=ro&immutable=1" if is_whole else "mode=ro"
        return closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?{mode}", uri=True))


def _text(content: Any) -> str:
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
