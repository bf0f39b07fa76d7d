"""Runs as a folder of Parquet, which DuckDB, polars, pandas and Spark read as it is. docs/export.md has the schema.

runs/        a row a run                              params/   tags/    a row a value
points/experiment=NUMBER/        a row a point, those of a run and a metric side by side, by step
events/      a row a record of the log               files/RUN/PATH     the files themselves
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from fleetlog._views.views import Experiment, RunView
from fleetlog.client import Client
from fleetlog.errors import FailedPrecondition

if TYPE_CHECKING:
    import pyarrow

VERSION = 1
ROWS_AT_ONCE = 50_000
FILE_POINTS = 20_000_000
"""Points after which a file is ended, and the next one begun."""
FORMAT = "fleetlog-export.json"
"""File that says what the folder is."""
_ONE_EACH = ("runs", "params", "tags", "events")
"""Tables that are one file, of all experiments."""


class ParquetFolder(AbstractContextManager["ParquetFolder"]):
    """Runs as tables. `experiments`: by number; `log`: who is asked for records of the log, None = they are left out.

    FailedPrecondition: there is no pyarrow.
    """

    def __init__(self, folder: Path, experiments: Mapping[int, Experiment], log: Client | None) -> None:
        self._schemas = _schemas()
        self._folder = folder
        self._experiments = experiments
        self._log = log
        self._tables = {name: Table(folder / name, self._schemas[name]) for name in _ONE_EACH}
        self._points: dict[int, Table] = {}
        self.left_out: list[str] = []

    def add(self, run: RunView) -> int:
        """Write a run, its points beside one another."""
        tables, table = self._tables, self._points_of(run.experiment_id)
        for key, value in run.params.items():
            tables["params"].add({"run_id": run.id, "key": key, **_param(value)})
        for key, text in run.tags.items():
            tables["tags"].add({"run_id": run.id, "key": key, "value": text})
        experiment, first = self._experiments.get(run.experiment_id), table.file_rows
        row = _run_row(run, "" if experiment is None else experiment.name)
        points = {"points_file": table.label, "first_point": first}
        written = sum(_write_points(table, run, key) for key in run.metrics)
        tables["runs"].add({**row, **points, "points": table.file_rows - first})
        table.end_if_full()
        for event in self._log.events(run) if self._log is not None else ():
            tables["events"].add({
                "run_id": run.id, "time": event.time, "kinds": list(event.kinds), "summary": event.summary,
                "principal": event.principal, "partition": event.partition, "offset": event.offset,
            })  # fmt: skip
        return written

    def files_of(self, run: RunView) -> Path:
        """Returns the folder of the run's files."""
        return self._folder / "files" / run.id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is here of a table is written. FORMAT, which says that the folder is whole, is the last."""
        for table in (*self._tables.values(), *self._points.values()):
            table.close()
        if error is None:
            text = json.dumps({"format": "fleetlog-export", "version": VERSION})
            (self._folder / FORMAT).write_text(f"{text}\n")

    def _points_of(self, experiment: int) -> Table:
        if experiment not in self._points:
            place = self._folder / "points" / f"experiment={experiment}"
            self._points[experiment] = Table(place, self._schemas["points"], FILE_POINTS)
        return self._points[experiment]


class Table:
    """Rows that become files of Parquet in a folder, some thousand at a time."""

    def __init__(self, folder: Path, schema: pyarrow.Schema, file_rows: int | None = None) -> None:
        self._folder = folder
        self._schema = schema
        self._most = file_rows
        self._rows: list[Mapping[str, Any]] = []
        self._writer: Any = None
        self._number = 0
        self.file_rows = 0
        """Rows of the file that is being written."""

    @property
    def label(self) -> str:
        """Path of the file that is being written, below the folder of its folder."""
        return f"{self._folder.name}/part-{self._number:05d}.parquet"

    def add(self, row: Mapping[str, Any]) -> None:
        """A row."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_AT_ONCE:
            self._flush()

    def add_columns(self, columns: Sequence[Any], rows: int) -> None:
        """Columns of many rows, in the schema's order."""
        import pyarrow

        self._open().write_table(pyarrow.table(list(columns), schema=self._schema))
        self.file_rows += rows

    def end_if_full(self) -> None:
        """Begin another file, if this one has enough rows."""
        if self._most is not None and self.file_rows >= self._most:
            self.close()
            self._number, self.file_rows = self._number + 1, 0

    def close(self) -> None:
        """Write what is left. A table without rows has one file all the same."""
        self._flush()
        self._open().close()
        self._writer = None

    def _flush(self) -> None:
        import pyarrow

        if self._rows:
            self._open().write_table(pyarrow.Table.from_pylist(self._rows, schema=self._schema))
            self.file_rows += len(self._rows)
            self._rows.clear()

    def _open(self) -> Any:
        if self._writer is None:
            from pyarrow import parquet

            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = parquet.ParquetWriter(self._folder.parent / self.label, self._schema, compression="zstd")
        return self._writer


def _write_points(table: Table, run: RunView, key: str) -> int:
    series = run.metric(key)
    count = len(series.steps)
    if count:
        import pyarrow

        columns = [
            pyarrow.repeat(run.id, count), pyarrow.repeat(key, count), pyarrow.array(np.asarray(series.steps)),
            pyarrow.array(np.asarray(series.times)).cast(pyarrow.timestamp("ms", "UTC")),
            pyarrow.array(np.asarray(series.values)),
        ]  # fmt: skip
        table.add_columns(columns, count)
    return count


def _run_row(run: RunView, experiment: str) -> dict[str, Any]:
    return {
        "run_id": run.id, "experiment": experiment, "experiment_id": run.experiment_id, "name": run.name,
        "user": run.user, "state": run.state, "start_time": run.start_time, "end_time": run.end_time,
        "parent_run_id": run.parent_id, "deleted": run.deleted,
        "datasets": json.dumps([_dataset(one) for one in run.datasets]),
    }  # fmt: skip


def _dataset(dataset: Any) -> dict[str, str]:
    names = ("name", "digest", "context", "source_type", "source", "schema", "profile")
    return {name: getattr(dataset, name) for name in names}


def _param(value: object) -> dict[str, Any]:
    kind = {bool: "truth", int: "whole", float: "real"}.get(type(value), "text")
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    return {"type": kind, "value": str(value), "number": number}


def _schemas() -> dict[str, Any]:
    try:
        import pyarrow as pa
    except ImportError:
        raise FailedPrecondition("PYARROW_MISSING", "Parquet needs pyarrow: pip install 'fleetlog[arrow]'") from None
    moment, text = pa.timestamp("ms", "UTC"), pa.string()
    return {
        "runs": pa.schema([
            ("run_id", text), ("experiment", text), ("experiment_id", pa.int64()), ("name", text), ("user", text),
            ("state", text), ("start_time", moment), ("end_time", moment), ("parent_run_id", text),
            ("deleted", pa.bool_()), ("datasets", text), ("points_file", text), ("first_point", pa.int64()),
            ("points", pa.int64()),
        ]),
        "params": pa.schema([
            ("run_id", text), ("key", text), ("type", text), ("value", text), ("number", pa.float64())
        ]),
        "tags": pa.schema([("run_id", text), ("key", text), ("value", text)]),
        "points": pa.schema([
            ("run_id", text), ("key", text), ("step", pa.int64()), ("time", moment), ("value", pa.float64())
        ]),
        "events": pa.schema([
            ("run_id", text), ("time", moment), ("kinds", pa.list_(text)), ("summary", text), ("principal", text),
            ("partition", text), ("offset", pa.int64()),
        ]),
    }  # fmt: skip
