"""Runs as rows of a file that grows while they are read: CSV, JSON lines, Parquet. What `import_runs` reads again.

Columns are known before the first row: from the keys that the runs have. What a run has beyond them is counted.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal

from fleetlog._views.facets import KeyInfo
from fleetlog._views.frames import row_of
from fleetlog._views.views import RunView
from fleetlog.errors import FailedPrecondition

FileForm = Literal["csv", "jsonl", "parquet"]
COLUMNS = ("run_id", "name", "state", "user", "experiment_id", "start_time", "end_time", "parent_run_id")
"""Attributes that are columns, in order."""
ROW_GROUP = 10_000
"""Runs that are held while Parquet is written."""


class RunRows:
    """Rows of runs by the columns of one file."""

    def __init__(self, columns: Sequence[str], keys: Iterable[KeyInfo]) -> None:
        """`columns` as they were asked for; none: the attributes and all `keys`."""
        found = [(f"{one.kind}.{one.key}", one) for one in keys]
        self.columns = list(columns) or [*COLUMNS, *(name for name, _ in found)]
        self._asked = bool(columns)
        self._known = frozenset(self.columns)
        self._numbers = {
            name
            for name, one in found
            if one.kind == "metrics" or (one.kind == "params" and one.numeric_runs == one.runs)
        }
        self._numbers |= {name for name in self.columns if name.startswith("metrics.")}
        self.left_out = 0
        """Values of keys that no column is for."""

    def is_number(self, column: str) -> bool:
        """True if all values of a column are numbers."""
        return column in self._numbers

    def row(self, run: RunView) -> dict[str, object]:
        """The run's values by column, without those it has not."""
        found = row_of(run)
        if not self._asked:
            self.left_out += sum("." in name and name not in self._known for name in found)
        return {name: found[name] for name in self.columns if found.get(name) is not None}


Progress = Callable[[int], None]


def _csv(rows: RunRows, runs: Iterable[RunView], file: BinaryIO, told: Progress) -> int:
    out = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    count = 0
    try:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(rows.columns)
        for run in runs:
            row = rows.row(run)
            writer.writerow([_cell(row.get(name)) for name in rows.columns])
            count += 1
            told(count)
    finally:
        # The file is its opener's to close.
        out.detach()
    return count


def _json_lines(rows: RunRows, runs: Iterable[RunView], file: BinaryIO, told: Progress) -> int:
    count = 0
    for run in runs:
        row = {name: _json_value(value) for name, value in rows.row(run).items()}
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        count += 1
        told(count)
    return count


def _parquet(rows: RunRows, runs: Iterable[RunView], file: BinaryIO, told: Progress) -> int:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise FailedPrecondition(
            "PACKAGE_MISSING", "Parquet needs pyarrow: pip install 'fleetlog[arrow]', or write CSV or JSON lines"
        ) from None
    schema = pyarrow.schema([(name, _arrow_type(pyarrow, rows, name)) for name in rows.columns])
    count = 0
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for group in _groups(runs):
            found = [rows.row(run) for run in group]
            arrays = [
                pyarrow.array([_value(rows, field.name, row.get(field.name)) for row in found], field.type)
                for field in schema
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            count += len(found)
            told(count)
    return count


WRITERS: dict[FileForm, Callable[[RunRows, Iterable[RunView], BinaryIO, Progress], int]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "parquet": _parquet,
}
"""Writes runs to a file, tells how many are done, and returns how many there were. FleetlogError; OSError."""


def _groups(runs: Iterable[RunView]) -> Iterator[list[RunView]]:
    rest = iter(runs)
    while group := list(itertools.islice(rest, ROW_GROUP)):
        yield group


def _cell(value: object) -> str:
    """Exact: nothing rounded, times as ISO 8601 in UTC."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    return _moment(value) if isinstance(value, datetime) else str(value)


def _json_value(value: object) -> object:
    """JSON has no NaN, no infinity and no time: they become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _moment(value) if isinstance(value, datetime) else value


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _arrow_type(pyarrow: Any, rows: RunRows, name: str) -> Any:
    stamp = pyarrow.timestamp("ms", "UTC")
    known = {"experiment_id": pyarrow.uint32(), "start_time": stamp, "end_time": stamp}
    return known.get(name, pyarrow.float64() if rows.is_number(name) else pyarrow.string())


def _value(rows: RunRows, column: str, value: Any) -> object:
    """What Parquet takes: a column of numbers has floats, one of params of several types has texts."""
    if value is None or column in COLUMNS:
        return value
    return float(value) if rows.is_number(column) else _cell(value)
