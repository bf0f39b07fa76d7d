"""A project as trackio exports it: Parquet with a row for each line of a table, and a column for each key of its JSON.

PROJECT.parquet has the metrics; PROJECT_system.parquet, PROJECT_configs.parquet and others are beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fleetlog.importers.source import SourceError
from fleetlog.importers.trackio.database import Row

SUFFIX = ".parquet"
ROWS_AT_ONCE = 10_000
_BESIDE = {
    "metrics": "", "system_metrics": "_system", "configs": "_configs", "traces": "_traces", "alerts": "_alerts",
    "artifact_versions": "_artifact_versions",
}  # fmt: skip
_OTHERS = ("_artifacts", "_artifact_aliases", "_run_artifact_links", "_external_run_artifact_links")
_STRUCTURE = frozenset({"id", "run_id", "run_name", "timestamp", "created_at", "step", "log_id", "space_id"})
"""Columns that are none of the JSON's keys."""


def projects_in(folder: Path) -> list[Path]:
    """Returns the files of metrics in a folder: those that are not of another one beside them."""
    found = sorted(folder.glob(f"*{SUFFIX}"))
    stems = {path.stem for path in found} | {path.stem for path in folder.glob("*.db")}
    beside = [*filter(None, _BESIDE.values()), *_OTHERS]
    return [
        path
        for path in found
        if not any(path.stem.endswith(ending) and path.stem.removesuffix(ending) in stems for ending in beside)
    ]


class ParquetProject:
    """Reads the files of one project, as `Database` does. OSError, ValueError: a file can't be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            from pyarrow import dataset
        except ImportError:
            raise SourceError("reading Parquet needs pyarrow: pip install 'fleetlog[arrow]'") from None
        self._tables: dict[str, Any] = {}
        for table, ending in _BESIDE.items():
            file = path.with_name(f"{path.stem}{ending}{SUFFIX}")
            if file.exists():
                self._tables[table] = dataset.dataset(file, format="parquet")
        if "run_name" not in self._tables["metrics"].schema.names:
            raise ValueError("it has no column run_name")

    def runs(self) -> Mapping[str, tuple[str, str, str]]:
        """Name, first and last time of each run, by its id: before versions that have ids, its name is its id."""
        found: dict[str, tuple[str, str, str]] = {}
        for table, column in (("metrics", "timestamp"), ("system_metrics", "timestamp"), ("configs", "created_at")):
            if table not in self._tables:
                continue
            key = self._key(table)
            for row in self._rows_of(table, None, [*dict.fromkeys((key, "run_name", column))]):
                id_, time = str(row[key]), _time(row[column])
                name, first, last = found.get(id_, (str(row["run_name"]), time, ""))
                # What a config says is not when the run ended.
                found[id_] = (name, min(first, time), last if table == "configs" else max(last, time))
        return found

    def config(self, run: str) -> str | None:
        """JSON of the run's config."""
        found = [row.content for row in self.rows("configs", run)]
        return found[-1] if found else None

    def rows(self, table: str, run: str) -> Iterator[Row]:
        """Lines of a table in the order in which they were written."""
        if table not in self._tables:
            return
        for number, row in enumerate(self._rows_of(table, run)):
            step, id_ = row.get("step"), row.get("id")
            content = {key: value for key, value in row.items() if key not in _STRUCTURE and value is not None}
            yield Row(
                id_ if isinstance(id_, int) else number, step if isinstance(step, int) else None,
                _time(row.get("timestamp")), json.dumps(content, default=str),
            )  # fmt: skip

    def lines(self, table: str, run: str) -> Iterator[Mapping[str, Any]]:
        """Lines of any other table of the run, with all their columns."""
        if table in self._tables and "run_name" in self._tables[table].schema.names:
            yield from self._rows_of(table, run)

    def count(self, table: str) -> int:
        """Number of lines of a table; 0 where there is none."""
        return int(self._tables[table].count_rows()) if table in self._tables else 0

    def _key(self, table: str) -> str:
        return "run_id" if "run_id" in self._tables[table].schema.names else "run_name"

    def _rows_of(self, table: str, run: str | None, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        from pyarrow import dataset

        only = None if run is None else dataset.field(self._key(table)) == run
        # In order, and one file at a time: what comes first was written first.
        batches = self._tables[table].to_batches(columns=columns, filter=only, batch_size=ROWS_AT_ONCE)
        for batch in batches:
            yield from batch.to_pylist()


def _time(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
