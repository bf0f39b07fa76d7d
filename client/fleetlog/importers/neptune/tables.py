"""Parquet files of neptune-exporter: parts of runs, each row one attribute or one point."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetlog.importers.source import SourceError
from fleetlog.importers.unread import UnreadItems

COLUMNS = ("project_id", "run_id", "attribute_path", "attribute_type")
"""Columns without which a Parquet file is none of the exporter's."""
SERIES = ("float_series", "string_series", "histogram_series", "file_series")
_PART = re.compile(r"(.+)_part_(\d+)\.parquet")
_BATCH_ROWS = 100_000


@dataclass(slots=True)
class RunTable:
    """Parts of one run, in their order."""

    project: str
    run_id: str
    files: list[Path] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    """Values that are no series and no files, by path."""
    attribute_files: dict[str, str] = field(default_factory=dict)
    """Paths of files below the folder of files, by attribute."""


def arrow() -> Any:
    """The library that reads Parquet. SourceError: it is not installed."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise SourceError("reading Parquet needs pyarrow: pip install 'fleetlog[arrow]'") from None
    return parquet


def run_tables(folder: Path, unread: UnreadItems) -> Iterator[RunTable]:
    """Every run below a folder, with its attributes: a run's parts stand beside each other."""
    paths = sorted(folder.rglob("*.parquet"), key=_place) if folder.is_dir() else [folder]
    found: RunTable | None = None
    for path in paths:
        for table in _of_part(path, unread):
            if found is not None and (found.project, found.run_id) == (table.project, table.run_id):
                found.files += table.files
                found.attributes |= table.attributes
                found.attribute_files |= table.attribute_files
                continue
            if found is not None:
                yield found
            found = table
    if found is not None:
        yield found


def series_batches(table: RunTable, kind: str, columns: Sequence[str], unread: UnreadItems) -> Iterator[Any]:
    """Batches of the rows of a run that are of one kind of series, with these columns."""
    import pyarrow.compute as compute

    for path in table.files:
        try:
            with arrow().ParquetFile(path) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=["run_id", "attribute_type", *columns]):
                    is_wanted = compute.and_(
                        compute.equal(batch.column("attribute_type"), kind),
                        compute.equal(batch.column("run_id"), table.run_id),
                    )
                    yield batch.filter(is_wanted)
        except (OSError, ValueError) as error:
            unread.add(str(path), f"the rest of it can't be read: {error}")


def _place(path: Path) -> tuple[str, str, int]:
    match = _PART.fullmatch(path.name)
    return (str(path.parent), match[1], int(match[2])) if match else (str(path.parent), path.name, 0)


def _of_part(path: Path, unread: UnreadItems) -> Iterator[RunTable]:
    """Runs of one file: the exporter writes one into each."""
    found: dict[tuple[str, str], RunTable] = {}
    try:
        with arrow().ParquetFile(path) as file:
            if missing := [name for name in COLUMNS if name not in file.schema_arrow.names]:
                unread.add(str(path), f"it has no column {missing[0]}, which neptune-exporter's tables have")
                return
            for batch in file.iter_batches(_BATCH_ROWS):
                for row in _not_series(batch):
                    key = (str(row["project_id"]), str(row["run_id"]))
                    table = found.get(key)
                    if table is None:
                        table = found[key] = RunTable(*key, [path])
                    _take(table, row)
    except (OSError, ValueError) as error:
        unread.add(str(path), f"it can't be read: {error}")
    yield from found.values()


def _not_series(batch: Any) -> Iterator[dict[str, Any]]:
    """Rows that are no series, and one of each run whose rows all are."""
    import pyarrow as pa
    import pyarrow.compute as compute

    kinds = compute.is_in(batch.column("attribute_type"), value_set=pa.array(SERIES))
    yield from batch.filter(compute.invert(kinds)).to_pylist()
    runs = pa.Table.from_batches([batch.select(["project_id", "run_id"])]).group_by(["project_id", "run_id"])
    for row in runs.aggregate([]).to_pylist():
        yield {**row, "attribute_path": None, "attribute_type": None}


def _take(table: RunTable, row: dict[str, Any]) -> None:
    path, kind = row["attribute_path"], row["attribute_type"]
    if path is None:
        return
    if kind in ("file", "artifact", "file_set"):
        if row.get("file_value") and row["file_value"].get("path"):
            table.attribute_files[path] = row["file_value"]["path"]
        return
    value = row.get(f"{kind}_value")
    if value is not None:
        table.attributes[path] = value
