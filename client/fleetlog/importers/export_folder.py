"""What `fleetlog export` wrote as Parquet, read again: the same runs, with the ids that they had."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fleetlog.importers.source import (
    Param,
    Points,
    SourceDataset,
    SourceError,
    SourceExperiment,
    SourceFile,
    SourceRun,
    Unread,
)

FORMAT = "fleetlog-export.json"
ROWS_AT_ONCE = 50_000


def open_export(place: str) -> ExportFolder:
    """Returns the source in a folder. SourceError."""
    return ExportFolder(Path(place))


class ExportFolder:
    """Reads a folder of Parquet. SourceError: it is none of an export."""

    kind = "fleetlog"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            said = json.loads((folder / FORMAT).read_text())
        except (OSError, ValueError):
            raise SourceError(f"{folder} has no {FORMAT}: give a folder that `fleetlog export` wrote") from None
        if said.get("version") != 1:
            raise SourceError(f"{folder} is of version {said.get('version')}: this fleetlog reads 1")
        try:
            from pyarrow import parquet
        except ImportError:
            raise SourceError("reading Parquet needs pyarrow: pip install 'fleetlog[arrow]'") from None
        self._parquet: Any = parquet
        self._unread: list[Unread] = []

    def experiments(self) -> Iterator[SourceExperiment]:
        """Yields nothing: runs name their experiments."""
        return iter(())

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Yields the runs in the order in which they were written."""
        params, tags = _Groups(self._rows("params")), _Groups(self._rows("tags"))
        for row in self._rows("runs"):
            mine = params.take(row["run_id"]), tags.take(row["run_id"])
            if since is None or _millis(row["start_time"]) >= since:
                yield self._run(row, *mine)

    def unread(self) -> Sequence[Unread]:
        """Returns what has been left out so far."""
        return list(self._unread)

    def _run(self, row: dict[str, Any], params: list[dict[str, Any]], tags: list[dict[str, Any]]) -> SourceRun:
        return SourceRun(
            id=row["run_id"],
            experiment=row["experiment"],
            name=row["name"],
            user=row["user"],
            state=row["state"],
            start_time=_millis(row["start_time"]),
            end_time=None if row["end_time"] is None else _millis(row["end_time"]),
            parent=row["parent_run_id"],
            deleted=row["deleted"],
            params={one["key"]: _param(one) for one in params},
            tags={one["key"]: one["value"] for one in tags},
            datasets=[SourceDataset(**one) for one in json.loads(row["datasets"])],
            points=lambda: self._points(row["points_file"], row["first_point"], row["points"]),
            files=lambda: _files(self._folder / "files" / row["run_id"], ""),
        )

    def _points(self, name: str, first: int, count: int) -> Iterator[Points]:
        """Rows of a file, from the groups of rows that have them."""
        if not count:
            return
        with self._parquet.ParquetFile(self._folder / "points" / name) as file:
            begin = 0
            for group in range(file.metadata.num_row_groups):
                end = begin + file.metadata.row_group(group).num_rows
                if begin < first + count and end > first:
                    start = max(first - begin, 0)
                    yield from _pieces(file.read_row_group(group).slice(start, min(first + count, end) - begin - start))
                begin = end

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        for path in sorted((self._folder / table).glob("*.parquet")):
            with self._parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS_AT_ONCE):
                    yield from batch.to_pylist()


class _Groups:
    """Rows that are in the order of their runs."""

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, run_id: str) -> list[dict[str, Any]]:
        """Returns the rows of a run, which come next."""
        found = []
        while self._next is not None and self._next["run_id"] == run_id:
            found.append(self._next)
            self._next = next(self._rows, None)
        return found


def _pieces(rows: Any) -> Iterator[Points]:
    """Neighbours of one key together."""
    keys = rows.column("key").to_pylist()
    columns = [rows.column(name) for name in ("step", "value", "time")]
    steps, values, times = (np.asarray(column.to_numpy(zero_copy_only=False)) for column in columns)
    times = times.astype("datetime64[ms]").astype(np.int64)
    first = 0
    for place in range(1, len(keys) + 1):
        if place == len(keys) or keys[place] != keys[first]:
            piece = slice(first, place)
            yield Points(keys[first], steps[piece].astype(np.int64), values[piece], times[piece])
            first = place


def _param(row: dict[str, Any]) -> Param:
    kind, text = row["type"], row["value"]
    if kind == "whole":
        return int(text)
    if kind == "real":
        return float(text)
    return text == "True" if kind == "truth" else str(text)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


def _files(folder: Path, prefix: str) -> Iterator[SourceFile]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path, f"{prefix}{path.name}/")
        else:
            yield SourceFile(f"{prefix}{path.name}", partial(_opened, path), None, path)


def _millis(moment: Any) -> int:
    millis: int = round(moment.timestamp() * 1000)
    return millis
