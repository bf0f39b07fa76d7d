"""trackio's folder as a source of runs: its projects are experiments."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fleetlog.importers.columns import Columns
from fleetlog.importers.json_values import leaves, number_of, params_of
from fleetlog.importers.jsonl import json_lines
from fleetlog.importers.paths import PathsInUse, artifact_path
from fleetlog.importers.places import existing
from fleetlog.importers.source import Points, SourceError, SourceExperiment, SourceFile, SourceRun, Unread
from fleetlog.importers.times import millisecond_of_text
from fleetlog.importers.trackio.database import Database, Row
from fleetlog.importers.trackio.parquet_project import SUFFIX, ParquetProject, projects_in
from fleetlog.importers.unread import UnreadItems

Project = Database | ParquetProject
SYSTEM = "system."
"""Begin of the keys of system metrics."""
_UNREADABLE = (sqlite3.Error, OSError, ValueError)
_ALERTS_AND_TRACES = ("alerts", "traces")


def open_trackio(place: str) -> TrackioSource:
    """Returns the source at a place. SourceError: it is not there, or has no projects."""
    source = TrackioSource(existing(place))
    source.check()
    return source


class TrackioSource:
    """A folder of trackio, such as ~/.cache/huggingface/trackio, or the .db or .parquet file of one project."""

    kind = "trackio"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unread = UnreadItems()

    def experiments(self) -> Iterator[SourceExperiment]:
        """None: a project has nothing but its name."""
        return iter(())

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Every run of every project; `since` asks for its last point."""
        for path in self._files():
            try:
                database: Project = ParquetProject(path) if path.suffix == SUFFIX else Database(path)
                if versions := database.count("artifact_versions"):
                    self._unread.add(str(path), "versions of artifacts are not copied", count=versions, is_fault=False)
                for id_, (name, first, last) in sorted(database.runs().items(), key=lambda run: (run[1][1], run[0])):
                    end = millisecond_of_text(last)
                    if since is None or end is None or end >= since:
                        yield self._run(database, id_, name, millisecond_of_text(first), end)
            except _UNREADABLE as error:
                self._unread.add(str(path), f"it is no project of trackio's that can be read: {error}")

    def unread(self) -> Sequence[Unread]:
        """What has been left out so far."""
        return self._unread()

    def check(self) -> None:
        """SourceError: there are no projects."""
        self._files()

    def _run(self, database: Project, id_: str, name: str, start: int | None, end: int | None) -> SourceRun:
        config = self._config(database, id_)
        created = millisecond_of_text(str(config.pop("_Created", "")))
        group = config.pop("_Group", None)
        return SourceRun(
            id=f"{database.path.stem}/{id_}",
            experiment=database.path.stem,
            name=name,
            user=str(config.pop("_Username", None) or ""),
            start_time=min(filter(None, (created, start)), default=None),
            end_time=end,
            params=params_of(config),
            tags={"group": str(group)} if group else {},
            points=lambda: self._points(database, id_, start or 0),
            files=lambda: self._run_files(database, id_),
        )

    def _config(self, database: Project, id_: str) -> dict[str, Any]:
        text = database.config(id_)
        found = None if text is None else self._object(database, "configs", Row(0, None, "", text))
        return found or {}

    def _points(self, database: Project, id_: str, start: int) -> Iterator[Points]:
        columns = Columns()
        for table, prefix in (("metrics", ""), ("system_metrics", SYSTEM)):
            time = start
            for number, row in enumerate(self._rows(database, table, id_)):
                time = millisecond_of_text(row.time) or time
                columns.begin_row(number if row.step is None else row.step, time)
                for name, value in leaves("", self._object(database, table, row) or {}):
                    found = number_of(value)
                    if found is not None:
                        columns.add(prefix + name, found)
                if columns.is_full:
                    yield from columns.taken()
        yield from columns.taken()

    def _run_files(self, database: Project, id_: str) -> Iterator[SourceFile]:
        """Media, and what of the rows is neither number nor medium."""
        paths = PathsInUse()
        texts: set[str] = set()
        for row in self._rows(database, "metrics", id_):
            for name, value in (self._object(database, "metrics", row) or {}).items():
                for medium in _media_in(value):
                    yield from self._medium(database, name, row, medium, paths)
                if not _is_numbers(value):
                    texts.add(name)
        for name in sorted(texts):
            path = paths.unused(artifact_path("history", f"{name}.jsonl"))
            yield SourceFile(path, json_lines(partial(self._values, database, id_, name)))
        for table in _ALERTS_AND_TRACES:
            if any(True for _ in database.lines(table, id_)):
                lines = json_lines(partial(database.lines, table, id_))
                yield SourceFile(paths.unused(f"{table}.jsonl"), lines)

    def _values(self, database: Project, id_: str, name: str) -> Iterator[dict[str, Any]]:
        for row in self._rows(database, "metrics", id_):
            content = self._object(database, "metrics", row) or {}
            if name in content and not _is_numbers(content[name]):
                yield {"step": row.step, "time": row.time, "value": content[name]}

    def _medium(
        self, database: Project, name: str, row: Row, medium: dict[str, Any], paths: PathsInUse
    ) -> Iterator[SourceFile]:
        folder = (database.path.parent / "media").resolve()
        file = (folder / str(medium["file_path"])).resolve()
        if not file.is_relative_to(folder) or not file.is_file():
            self._unread.add(f"{database.path}, {name}, step {row.step}", f"its file is not below {folder}")
            return
        path = paths.unused(artifact_path("media", name, f"{row.step}{file.suffix}"))
        yield SourceFile(path, lambda: file.open("rb"), file.stat().st_size, file)

    def _rows(self, database: Project, table: str, id_: str) -> Iterator[Row]:
        try:
            yield from database.rows(table, id_)
        except _UNREADABLE as error:
            self._unread.add(f"{database.path}, {table}, run {id_}", f"the rest of it can't be read: {error}")

    def _object(self, database: Project, table: str, row: Row) -> dict[str, Any] | None:
        try:
            found = json.loads(row.content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._unread.add(f"{database.path}, {table}", "a row that is no JSON object", row.id)
            return None
        return found

    def _files(self) -> list[Path]:
        if self._path.is_file():
            return [self._path]
        found = sorted(self._path.glob("*.db"))
        # What is exported beside a database is the same once more.
        databases = {path.stem for path in found}
        found += [path for path in projects_in(self._path) if path.stem not in databases]
        if not found:
            raise SourceError(
                f"{self._path}: there are no .db or .parquet files of trackio's; give its folder, or TRACKIO_DIR"
            )
        return found


def _media_in(value: Any) -> Iterator[dict[str, Any]]:
    """What a value holds that is stored in a file: an image, a sound, or those of a table."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if "_type" in one and "file_path" in one:
                yield one
            else:
                stack += one.values()
        elif isinstance(one, list):
            stack += one


def _is_numbers(value: Any) -> bool:
    return all(leaf is None or number_of(leaf) is not None for _, leaf in leaves("", value))
