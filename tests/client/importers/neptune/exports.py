"""Exports as neptune-exporter writes them: its documented schema, its folders and its parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

SCHEMA = pa.schema(
    [
        ("project_id", pa.string()),
        ("run_id", pa.string()),
        ("attribute_path", pa.string()),
        ("attribute_type", pa.string()),
        ("step", pa.decimal128(18, 6)),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("datetime_value", pa.timestamp("ms", tz="UTC")),
        ("string_set_value", pa.list_(pa.string())),
        ("file_value", pa.struct([("path", pa.string())])),
        (
            "histogram_value",
            pa.struct([("type", pa.string()), ("edges", pa.list_(pa.float64())), ("values", pa.list_(pa.float64()))]),
        ),
    ]
)
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROJECT = "workspace/project"
FOLDER = "workspace_project_1a2b3c"
Row = dict[str, Any]


def attribute(path: str, kind: str, value: Any) -> Row:
    return {"attribute_path": path, "attribute_type": kind, f"{kind}_value": value}


def point(path: str, step: str, value: Any, kind: str = "float", seconds: float = 0.0) -> Row:
    time = START + timedelta(seconds=seconds)
    row = {"attribute_path": path, "attribute_type": f"{kind}_series", "step": Decimal(step), "timestamp": time}
    return {**row, f"{kind}_value": value}


def write(folder: Path, run: str, *parts: list[Row], project: str = PROJECT) -> None:
    """The Parquet files of a run."""
    target = folder / "data" / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(parts):
        told = [{"project_id": project, "run_id": run, **row} for row in rows]
        table = pa.Table.from_pylist(told, SCHEMA)
        parquet.write_table(table, target / f"{run}_part_{number}.parquet", compression="snappy")


def write_file(folder: Path, path: str, content: bytes) -> None:
    """A file that an attribute names."""
    target = folder / "files" / FOLDER / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
