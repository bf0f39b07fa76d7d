"""Rows of CSV and Parquet files in pieces, column by column."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetlog._imports.csv_files import delimiter_of, large_cells
from fleetlog._imports.text_files import open_text, suffix_of
from fleetlog.importers.source import SourceError
from fleetlog.importers.times import LATEST_MS, millisecond_of, millisecond_of_text

ROWS = 50_000
"""Rows that are read at once."""
SUFFIXES = (".csv", ".tsv", ".parquet")
_SECONDS = 100_000_000_000
"""Numbers below are seconds since 1970, those above milliseconds."""
Report = Callable[[int, str], None]
"""Takes the line or row of what could not be read, and why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows: columns of one length."""

    first: int
    """Number of the first row, from 0."""
    columns: dict[str, Sequence[Any]]

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))


def pieces(path: Path, encoding: str | None, report: Report) -> Iterator[Piece]:
    """Rows of a file; at least one piece, which has the columns' names. SourceError: nothing of it can be read."""
    if suffix_of(path) == ".parquet":
        yield from _of_parquet(path, report)
    else:
        yield from _of_csv(path, encoding, report)


def numbers_of(values: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], int]:
    """Values as numbers, which of them are there, and how many are there that are no numbers."""
    array = values if isinstance(values, np.ndarray) else None
    if array is not None and array.dtype.kind in "iufb":
        return array.astype(np.float64), np.ones(len(array), bool), 0
    found, there, others = np.zeros(len(values)), np.zeros(len(values), bool), 0
    for place, value in enumerate(values):
        if value is None or value == "":
            continue
        try:
            found[place] = float(value)
        except (TypeError, ValueError, OverflowError):
            others += 1
            continue
        there[place] = True
    return found, there, others


def times_of(values: Sequence[Any], instead: int) -> npt.NDArray[np.int64]:
    """Values as milliseconds since 1970: times, texts in ISO 8601, seconds or milliseconds."""
    return np.array([_time(value) or instead for value in values], np.int64)


def _time(value: Any) -> int | None:
    if isinstance(value, datetime):
        return millisecond_of_text(value.isoformat())
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return millisecond_of_text(str(value)) if value else None
    if number < _SECONDS:
        return millisecond_of(number)
    return round(number) if number <= LATEST_MS else None


def _of_csv(path: Path, encoding: str | None, report: Report) -> Iterator[Piece]:
    try:
        with open_text(path, encoding) as file:
            delimiter = delimiter_of(file.readline())
            file.seek(0)
            rows = csv.reader(file, delimiter=delimiter)
            names = [name.strip() for name in next(rows, [])]
            if len(set(names)) < len(names) or not any(names):
                raise SourceError(f"{path}: its first line is no header: names are missing, or stand twice")
            yield from _csv_pieces(rows, names, report)
    except (UnicodeError, LookupError):
        raise SourceError(f"{path}: it is not {encoding or 'UTF-8'}; name its encoding: -o encoding=cp1252") from None
    except (csv.Error, OSError, EOFError) as error:
        report(0, f"the rest of it can't be read: {error}")


def _csv_pieces(rows: Any, names: list[str], report: Report) -> Iterator[Piece]:
    first, is_first = 0, True
    while True:
        columns: list[list[str]] = [[] for _ in names]
        read = 0
        with large_cells():  # a lock of the whole process: not held while pieces are used
            for row in islice(rows, ROWS):
                read += 1
                if row and len(row) != len(names):
                    report(rows.line_num, f"a line with {len(row)} cells, where the header has {len(names)}")
                elif row:
                    for column, cell in zip(columns, row, strict=True):
                        column.append(cell)
        if columns[0] or is_first:
            yield Piece(first, dict(zip(names, columns, strict=True)))
        first, is_first = first + len(columns[0]), False
        if read < ROWS:
            return


def _of_parquet(path: Path, report: Report) -> Iterator[Piece]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise SourceError("reading Parquet needs pyarrow: pip install 'fleetlog[arrow]'") from None
    first = 0
    try:
        with parquet.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                yield Piece(0, {name: [] for name in file.schema_arrow.names})
            for batch in file.iter_batches(ROWS):
                yield Piece(first, {name: _arrow(batch.column(name)) for name in batch.schema.names})
                first += batch.num_rows
    except (OSError, ValueError) as error:
        report(first, f"the rest of it can't be read: {error}")


def _arrow(column: Any) -> Sequence[Any]:
    kind = str(column.type)
    if column.null_count == 0 and kind in ("double", "float", "int64", "int32", "uint64", "uint32"):
        found: Sequence[Any] = column.to_numpy()
        return found
    listed: list[Any] = column.to_pylist()
    return listed
