"""An export of neptune-exporter as a source of runs: projects of versions 2 and 3 alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fleetlog.importers.jsonl import json_lines
from fleetlog.importers.neptune.tables import RunTable, arrow, run_tables, series_batches
from fleetlog.importers.paths import PathsInUse, artifact_path
from fleetlog.importers.places import existing, whole_number
from fleetlog.importers.source import Fork, Param, Points, SourceError, SourceExperiment, SourceFile, SourceRun, Unread
from fleetlog.importers.unread import UnreadItems

_PARENT, _FORK_STEP = "sys/forking/parent", "sys/forking/step"
_NAME, _CUSTOM_ID = "sys/name", "sys/custom_run_id"
_MILLIONTHS = 1_000_000
"""Steps are decimals with six places."""
_FRACTIONS = "points whose steps have fractions: their whole part is kept; a step multiplier keeps more"
_TAG_SETS = {"sys/tags": "tags", "sys/group_tags": "group_tags"}


def open_neptune(place: str, files: object = None, step_multiplier: object = 1) -> NeptuneSource:
    """Returns the source at a place. SourceError: it is not there, or pyarrow is not installed."""
    arrow()
    return NeptuneSource(
        existing(place),
        files=None if files is None else existing(str(files)),
        step_multiplier=whole_number(step_multiplier, "step_multiplier"),
    )


class NeptuneSource:
    """The folder of an export, with its `data` and `files`, or the folder of its Parquet files.

    Args:
        path: The folder that `neptune-exporter export` wrote, or its `--data-path`.
        files: Its `--files-path`; None = `files` beside the data.
        step_multiplier: What steps are multiplied by: Neptune's may have fractions, and those here are whole. A point
            whose step has still a fraction keeps the whole part of it and is told.
    """

    kind = "neptune"

    def __init__(self, path: Path, *, files: Path | None = None, step_multiplier: int = 1) -> None:
        self._data = path / "data" if (path / "data").is_dir() else path
        self._files = files or (path / "files" if (path / "files").is_dir() else path.parent / "files")
        self._multiplier = step_multiplier
        self._unread = UnreadItems()

    def experiments(self) -> Iterator[SourceExperiment]:
        """None: a project has nothing but its name."""
        return iter(())

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Every run, those that others were forked from before these; `since` asks when a file was last written to."""
        tables = {_id(table.project, table.run_id): table for table in run_tables(self._data, self._unread)}
        if not tables and not self._unread():
            raise SourceError(f"{self._data}: there are no Parquet files; give the folder of neptune-exporter's export")
        for id_ in _origins_first(tables):
            table = tables[id_]
            if since is None or any(path.stat().st_mtime_ns // 1_000_000 >= since for path in table.files):
                yield self._run(id_, table)

    def unread(self) -> Sequence[Unread]:
        """What has been left out so far."""
        return self._unread()

    def _run(self, id_: str, table: RunTable) -> SourceRun:
        told = table.attributes
        start = _time(told.get("sys/creation_time"))
        fork_step = told.get(_FORK_STEP)
        parent = told.get(_PARENT)
        return SourceRun(
            id=id_,
            experiment=table.project,
            # In version 3 runs are called by their own ids, and `sys/name` is what several of them have in common.
            name=table.run_id if told.get(_CUSTOM_ID) == table.run_id else str(told.get(_NAME) or table.run_id),
            user=str(told.get("sys/owner") or ""),
            state="FAILED" if told.get("sys/failed") is True else "FINISHED",
            start_time=start,
            end_time=_time(told.get("sys/modification_time")),
            fork=None
            if not parent
            else Fork(_id(table.project, str(parent)), int(float(fork_step or 0) * self._multiplier)),
            deleted=told.get("sys/trashed") is True,
            params={path: _param(value) for path, value in told.items() if not path.startswith("sys/")},
            tags=_tags(table),
            points=lambda: self._points(table, start or 0),
            files=lambda: self._run_files(table),
        )

    def _points(self, table: RunTable, start: int) -> Iterator[Points]:
        columns = ["attribute_path", "step", "timestamp", "float_value"]
        for batch in series_batches(table, "float_series", columns, self._unread):
            where = f"{table.project}, run {table.run_id}"
            is_there = np.asarray(batch.column("float_value").is_valid())
            steps, has_fraction = self._steps(batch.column("step"))
            self._unread.count(where, _FRACTIONS, int((has_fraction & is_there).sum()))
            times = _milliseconds(batch.column("timestamp"), start)
            values = batch.column("float_value").to_numpy(zero_copy_only=False)
            paths = batch.column("attribute_path").dictionary_encode()
            codes = paths.indices.to_numpy(zero_copy_only=False)
            for code, path in enumerate(paths.dictionary.to_pylist()):
                rows = np.flatnonzero((codes == code) & is_there)
                if len(rows):
                    yield Points(str(path), steps[rows], values[rows].astype(np.float64), times[rows])

    def _steps(self, column: Any) -> tuple[Any, Any]:
        """Whole steps, and which of them had a fraction."""
        import pyarrow as pa

        if pa.types.is_decimal(column.type):
            # Of each number of 128 bits the lower half: 18 digits fit into it.
            exact = column.cast(pa.decimal128(38, 6)).fill_null(Decimal(0))
            millionths = np.frombuffer(exact.buffers()[1], "<i8")[2 * exact.offset :: 2][: len(exact)]
            whole, rest = np.divmod(millionths, _MILLIONTHS)
            more, left = np.divmod(rest * self._multiplier, _MILLIONTHS)
            return whole * self._multiplier + more, left != 0
        numbers = column.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False) * self._multiplier
        return np.floor(numbers).astype(np.int64), numbers != np.floor(numbers)

    def _run_files(self, table: RunTable) -> Iterator[SourceFile]:
        paths = PathsInUse()
        for path, stored in sorted(table.attribute_files.items()):
            yield from self._stored(table, path, stored, artifact_path(path), paths)
        for batch in series_batches(table, "file_series", ["attribute_path", "step", "file_value"], self._unread):
            for row in batch.to_pylist():
                if row["file_value"] and row["file_value"]["path"]:
                    suffix = Path(row["file_value"]["path"]).suffix
                    target = artifact_path(row["attribute_path"], f"{_shown(row['step'])}{suffix}")
                    yield from self._stored(table, row["attribute_path"], row["file_value"]["path"], target, paths)
        for kind, column in (("string_series", "string_value"), ("histogram_series", "histogram_value")):
            for path in self._series(table, kind):
                lines = json_lines(partial(self._lines, table, kind, column, path))
                yield SourceFile(paths.unused(artifact_path(f"{path}.jsonl")), lines)

    def _stored(
        self, table: RunTable, attribute: str, stored: str, target: str, paths: PathsInUse
    ) -> Iterator[SourceFile]:
        """The file that an attribute names, or the files of the folder that it names."""
        root = self._files.resolve()
        file = (root / stored).resolve()
        if not file.is_relative_to(root) or not file.exists():
            file = (root / _folder(table) / stored).resolve()
        if not file.is_relative_to(root) or not file.exists():
            self._unread.add(f"{table.project}, run {table.run_id}, {attribute}", f"its file is not below {root}")
            return
        for one in [file] if file.is_file() else sorted(path for path in file.rglob("*") if path.is_file()):
            inner = "" if one == file else f"/{one.relative_to(file).as_posix()}"
            yield SourceFile(paths.unused(artifact_path(target + inner)), _opener(one), one.stat().st_size, one)

    def _series(self, table: RunTable, kind: str) -> list[str]:
        found: set[str] = set()
        for batch in series_batches(table, kind, ["attribute_path"], self._unread):
            found.update(batch.column("attribute_path").unique().to_pylist())
        return sorted(found)

    def _lines(self, table: RunTable, kind: str, column: str, path: str) -> Iterator[Mapping[str, Any]]:
        for batch in series_batches(table, kind, ["attribute_path", "step", "timestamp", column], self._unread):
            for row in batch.to_pylist():
                if row["attribute_path"] == path:
                    yield {"step": _number(row["step"]), "time": _time(row["timestamp"]), "value": row[column]}


def _id(project: str, run_id: str) -> str:
    return f"{project}/{run_id}"


def _folder(table: RunTable) -> str:
    """Folder of a project's files: the one that its Parquet files are in has the same name."""
    return table.files[0].parent.name


def _opener(file: Path) -> Any:
    return lambda: file.open("rb")


def _time(value: Any) -> int | None:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else None


def _milliseconds(column: Any, instead: int) -> Any:
    import pyarrow as pa

    return column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).fill_null(instead).to_numpy(zero_copy_only=False)


def _param(value: Any) -> Param:
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _tags(table: RunTable) -> dict[str, str]:
    """Neptune's own attributes, such as its id and its tags."""
    found: dict[str, str] = {}
    for path, value in table.attributes.items():
        if path in _TAG_SETS:
            found[_TAG_SETS[path]] = str(_param(value))
        elif path == "sys/description":
            found["mlflow.note.content"] = str(value)
        elif path.startswith("sys/"):
            found[path] = str(_param(value))
    return found


def _number(step: Any) -> Any:
    if isinstance(step, Decimal):
        return int(step) if step == int(step) else float(step)
    return step


def _shown(step: Any) -> str:
    return "file" if step is None else str(_number(step))


def _origins_first(tables: Mapping[str, RunTable]) -> list[str]:
    found: dict[str, None] = {}
    for first in tables:
        above: list[str] = []
        id_ = first
        while id_ in tables and id_ not in found and id_ not in above:
            above.append(id_)
            table = tables[id_]
            id_ = _id(table.project, str(table.attributes.get(_PARENT, "")))
        found |= dict.fromkeys(reversed(above))
    return list(found)
