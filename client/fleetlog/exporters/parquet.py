"""Runs as a folder of Parquet, which DuckDB, polars, pandas and Spark read as it is. docs/export.md has the schema.

runs/        a row a run                              params/   tags/    a row a value
points/experiment=NUMBER/        a row a point, those of a run and a metric side by side, by step
events/      a row a record of the log               files/RUN/PATH     the files themselves
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fleetlog._calls.base import Experiments
from fleetlog._views.views import RunView
from fleetlog.client import Client
from fleetlog.errors import FailedPrecondition
from fleetlog.exporters.folders import new_folder
from fleetlog.exporters.progress import Exported

if TYPE_CHECKING:
    import pyarrow

VERSION = 1
ROWS_AT_ONCE = 50_000
FILE_POINTS = 20_000_000
"""Points after which a file is ended, and the next one begun."""
FORMAT = "fleetlog-export.json"
"""File that says what the folder is."""


def export_parquet(
    client: Client,
    folder: Path,
    filter: str = "",  # noqa: A002
    *,
    experiments: Experiments = None,
    files: bool = True,
    events: bool = True,
    on_progress: Callable[[Exported], None] | None = None,
) -> Exported:
    """Write runs to a folder as Parquet. Memory holds one series and some thousand rows.

    Args:
        client: Where the runs are.
        folder: A folder that is new or empty.
        filter: What runs must be, see docs/filter.md; "" = all.
        experiments: Names, numbers or Experiments; None = all.
        files: Whether the runs' files are written too.
        events: Whether the records of the log that are of these runs are written too.
        on_progress: Is told of each run.

    Returns:
        Exported: what was written.

    Raises:
        FleetlogError: The server does not answer, or the folder can't be written to; FailedPrecondition without
            pyarrow.

    """
    done, schemas = Exported(), _schemas()
    new_folder(folder)
    names = {one.id: one.name for one in client.experiments(deleted="all")}
    points: dict[int, Table] = {}
    with (
        Table(folder / "runs", schemas["runs"]) as runs,
        Table(folder / "params", schemas["params"]) as params,
        Table(folder / "tags", schemas["tags"]) as tags,
        Table(folder / "events", schemas["events"]) as records,
    ):
        for run in client.stream_runs(filter, experiments=experiments, deleted="all"):
            table = points.get(run.experiment_id)
            if table is None:
                place = folder / "points" / f"experiment={run.experiment_id}"
                table = points[run.experiment_id] = Table(place, schemas["points"], FILE_POINTS)
            for key, value in run.params.items():
                params.add({"run_id": run.id, "key": key, **_param(value)})
            for key, text in run.tags.items():
                tags.add({"run_id": run.id, "key": key, "value": text})
            first = table.file_rows
            row = {**_run_row(run, names.get(run.experiment_id, "")), "points_file": table.label, "first_point": first}
            for key in run.metrics:
                done.points += _write_points(table, run, key)
            runs.add({**row, "points": table.file_rows - first})
            table.end_if_full()
            if events:
                for event in client.events(run):
                    records.add({
                        "run_id": run.id, "time": event.time, "kinds": list(event.kinds), "summary": event.summary,
                        "principal": event.principal, "partition": event.partition, "offset": event.offset,
                    })  # fmt: skip
            if files:
                done.files += len(client.download_artifacts(run, None, folder / "files" / run.id))
            done.runs += 1
            if on_progress is not None:
                on_progress(done)
    for table in points.values():
        table.close()
    (folder / FORMAT).write_text(json.dumps({"format": "fleetlog-export", "version": VERSION}) + "\n")
    return done


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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
