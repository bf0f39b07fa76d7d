"""Folders of runs in MLflow's file store: a file a param, a tag and a metric."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetlog.importers.mlflow_stores.artifact_places import ArtifactPlaces
from fleetlog.importers.mlflow_stores.meta_files import MetaError, number, read_meta
from fleetlog.importers.mlflow_stores.metric_files import read_metric
from fleetlog.importers.mlflow_stores.words import DATASET_CONTEXT, PARENT, RUN_NAME, USER, state_of, with_info
from fleetlog.importers.source import Points, SourceDataset, SourceFile, SourceRun, Unread


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder, as far as its place among others depends on it."""

    path: Path
    run_id: str
    experiment: str
    start_time: int
    parent: str

    def has_changed(self, since: int) -> bool:
        """True if it started, or something of it but artifacts was written to, then or later."""
        if self.start_time >= since:
            return True
        files = [str(self.path / "meta.yaml")]
        for name in ("metrics", "params", "tags"):
            files += [path for path, _ in files_below(self.path / name)]
        return any(Path(path).stat().st_mtime * 1000 >= since for path in files)


def read_text_files(folder: Path, unread: list[Unread]) -> dict[str, str]:
    """Returns the contents of all files below a folder, by their paths; those that can't be read go to `unread`."""
    found: dict[str, str] = {}
    for path, name in files_below(folder):
        try:
            found[name] = _content(path)
        except UnicodeDecodeError as error:
            unread.append(Unread(str(path), "it is not UTF-8", error.start))
        except OSError as error:
            unread.append(Unread(str(path), error.strerror or str(error)))
    return found


def files_below(folder: Path, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields files and their paths below a folder, with slashes, by name. Nothing when there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield entry.path, f"{prefix}{entry.name}"


class RunFolders:
    """Reads runs out of their folders."""

    def __init__(self, artifacts: ArtifactPlaces, unread: list[Unread]) -> None:
        self._artifacts = artifacts
        self._unread = unread

    def look(self, path: Path, experiment: str) -> RunFolder | None:
        """Returns a run's folder; None when its meta.yaml can't be read, which is told."""
        try:
            meta = read_meta(path / "meta.yaml")
            start = number(meta, "start_time") or 0
        except (MetaError, OSError) as error:
            self._unread.append(_unreadable(path / "meta.yaml", error))
            return None
        run_id = str(meta.get("run_id") or meta.get("run_uuid") or path.name)
        try:
            parent = _content(path / "tags" / PARENT).strip()
        except (OSError, UnicodeDecodeError):
            parent = ""
        return RunFolder(path, run_id, experiment, start, parent)

    def read(self, folder: RunFolder, *, is_deleted: bool) -> SourceRun | None:
        """Returns the run; None when its meta.yaml can't be read any more, which is told."""
        path, unread = folder.path, self._unread
        try:
            meta = read_meta(path / "meta.yaml")
            start, end = number(meta, "start_time"), number(meta, "end_time")
        except (MetaError, OSError) as error:
            unread.append(_unreadable(path / "meta.yaml", error))
            return None
        tags = read_text_files(path / "tags", unread)
        state = state_of(meta.get("status"))
        return SourceRun(
            id=folder.run_id,
            experiment=folder.experiment,
            name=tags.get(RUN_NAME) or meta.get("run_name") or meta.get("name") or "",
            user=meta.get("user_id") or tags.get(USER, ""),
            state=state,
            start_time=start,
            end_time=end,
            parent=folder.parent or None,
            deleted=is_deleted or meta.get("lifecycle_stage") == "deleted",
            params=read_text_files(path / "params", unread),
            tags=with_info(tags, meta),
            datasets=list(self._datasets(path)),
            input_models=list(self._inputs(path, "MODEL")),
            output_models=list(self._outputs(path)),
            points=lambda: self._points(path, goes_on=state == "RUNNING"),
            files=self._files(path, meta),
        )

    def _points(self, path: Path, *, goes_on: bool) -> Iterator[Points]:
        for file, key in files_below(path / "metrics"):
            unread: list[Unread] = []
            try:
                yield from read_metric(Path(file), key, unread)
            except OSError as error:
                unread.append(_unreadable(Path(file), error))
            # Each look at the points finds the same again.
            self._unread += [one for one in unread if one not in self._unread]

    def _files(self, path: Path, meta: Mapping[str, Any]) -> Callable[[], Iterator[SourceFile]]:
        return lambda: self._artifacts.files(str(meta.get("artifact_uri") or ""), path / "artifacts", f"{path}")

    def _datasets(self, path: Path) -> Iterator[SourceDataset]:
        for meta_path, link in self._links(path, "inputs"):
            if link.get("source_type") != "DATASET":
                continue
            place = path.parent / "datasets" / str(link.get("source_id")) / "meta.yaml"
            try:
                meta = read_meta(place)
            except (MetaError, OSError) as error:
                self._unread.append(_unreadable(place if place.exists() else meta_path, error))
                continue
            tags = link.get("tags") or {}
            yield SourceDataset(
                name=meta.get("name") or "", digest=meta.get("digest") or "", source_type=meta.get("source_type") or "",
                source=meta.get("source") or "", schema=meta.get("schema") or "", profile=meta.get("profile") or "",
                context=tags.get(DATASET_CONTEXT, ""),
                tags={key: text for key, text in tags.items() if key != DATASET_CONTEXT},
            )  # fmt: skip

    def _inputs(self, path: Path, kind: str) -> Iterator[str]:
        for _, link in self._links(path, "inputs"):
            if kind in str(link.get("source_type")):
                yield str(link.get("source_id"))

    def _outputs(self, path: Path) -> Iterator[tuple[str, int]]:
        for meta_path, link in self._links(path, "outputs"):
            try:
                step = number(link, "step") or 0
            except MetaError as error:
                self._unread.append(_unreadable(meta_path, error))
                continue
            yield str(link.get("destination_id") or link.get("source_id")), step

    def _links(self, path: Path, folder: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        for file, name in files_below(path / folder):
            if not name.endswith("/meta.yaml"):
                continue
            try:
                yield Path(file), read_meta(Path(file))
            except (MetaError, OSError) as error:
                self._unread.append(_unreadable(Path(file), error))


def _content(path: str | Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        parts = []
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts).decode()


def _unreadable(path: Path, error: MetaError | OSError) -> Unread:
    if isinstance(error, MetaError):
        return Unread(str(path), str(error), error.offset)
    return Unread(str(path), error.strerror or str(error))
