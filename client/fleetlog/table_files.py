"""Tables of runs in files: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fleetlog.tables import columns_of

_BLOCK_BYTES = 1 << 20


def read_table(path: Path) -> dict[str, Sequence[Any]]:
    """The columns of a .csv, .jsonl or .parquet file. ValueError says what is wrong with it, OSError.

    In CSV an empty cell is no value; a column is of whole numbers, of numbers or of truths when all its values are.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path.name}: a table of runs is a .csv, .jsonl or .parquet file")
    return reader(path)


def with_ids(columns: dict[str, Sequence[Any]], path: Path, experiment: str) -> dict[str, Sequence[Any]]:
    """The table with ids and start times where it has none: the same for the same file and experiment each time.

    So an import that broke off can be repeated. Starts are then when the file was last changed.
    """
    found, count = dict(columns), len(next(iter(columns.values()), ()))
    names = {name.removeprefix("attributes.") for name in columns}
    if "start_time" not in names:
        found["start_time"] = [datetime.fromtimestamp(path.stat().st_mtime, UTC)] * count
    if names.isdisjoint(("run_id", "id")):
        digest = blake2b(experiment.encode(), digest_size=8)
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        found["run_id"] = [f"{digest.hexdigest()}:{row}" for row in range(1, count + 1)]
    return found


def _csv(path: Path) -> dict[str, Sequence[Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        head = next(rows, None)
        if not head:
            raise ValueError(f"{path.name}: there is no header line")
        if len(set(head)) < len(head):
            twice = next(name for name in head if head.count(name) > 1)
            raise ValueError(f"{path.name}: the column {twice!r} stands twice")
        cells: list[list[str | None]] = [[] for _ in head]
        for row in rows:
            if not row:
                continue
            if len(row) != len(head):
                raise ValueError(f"{path.name}:{rows.line_num}: {len(row)} cells, the header has {len(head)}")
            for column, cell in zip(cells, row, strict=True):
                column.append(cell or None)
    return {name: _typed(name, column) for name, column in zip(head, cells, strict=True)}


def _typed(name: str, cells: list[str | None]) -> Sequence[Any]:
    if not name.startswith(("params.", "metrics.", "steps.")):
        return cells
    kinds: tuple[Callable[[str], Any], ...] = (_whole, _real, _truth)
    for kind in kinds:
        try:
            return [None if cell is None else kind(cell) for cell in cells]
        except ValueError:
            continue
    return cells


def _whole(cell: str) -> int:
    number = int(cell)
    if str(number) != cell:
        raise ValueError(cell)
    return number


def _real(cell: str) -> float:
    """Not for "007" and "1_000", which are texts."""
    if "_" in cell or re.match(r"[+-]?0[0-9]", cell):
        raise ValueError(cell)
    return float(cell)


def _truth(cell: str) -> bool:
    if cell.lower() not in ("true", "false"):
        raise ValueError(cell)
    return cell.lower() == "true"


def _json_lines(path: Path) -> dict[str, Sequence[Any]]:
    """One object a line; `params`, `metrics` and `tags` may be objects in it."""
    columns: dict[str, list[Any]] = {}
    count = 0
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from None
            if not isinstance(row, dict):
                raise ValueError(f'{path.name}:{number}: a run is an object, such as {{"metrics": {{"loss": 1.5}}}}')
            for name, value in _flat(row).items():
                column = columns.setdefault(name, [])
                column += [None] * (count - len(column))
                column.append(value)
            count += 1
    return {name: column + [None] * (count - len(column)) for name, column in columns.items()}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in ("params", "metrics", "tags", "steps", "attributes") and isinstance(value, dict):
            found |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            found[name] = value
    return found


def _parquet(path: Path) -> dict[str, Sequence[Any]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise ValueError("reading Parquet needs pyarrow: pip install 'fleetlog[arrow]'") from None
    try:
        return columns_of(parquet.read_table(path))
    except (ValueError, OSError) as error:
        raise ValueError(f"{path.name} is no Parquet file: {error}") from None


_READERS: dict[str, Callable[[Path], dict[str, Sequence[Any]]]] = {
    ".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet,
}  # fmt: skip
