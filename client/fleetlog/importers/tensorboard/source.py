"""TensorBoard's folders as a source of runs: every folder with event files is a run, named by its path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleetlog.importers.places import existing, is_set
from fleetlog.importers.source import SourceError, SourceExperiment, SourceRun, Unread
from fleetlog.importers.tensorboard.blobs import files_of
from fleetlog.importers.tensorboard.run_files import EventFile, RunFiles
from fleetlog.importers.unread import UnreadItems

JOINED = ("train", "training", "validation", "valid", "val", "eval", "test")
"""Names of folders that are parts of the run that is the folder above them, where runs are joined."""


@dataclass(slots=True)
class _Folder:
    """A run: its path below the source, and its event files in their order."""

    name: str
    files: list[EventFile] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The path and the first file's name, which has time, host and process: apart from other sources' runs."""
        return f"{self.name}:{self.files[0].path.name}"


def open_tensorboard(place: str, join: object = False, drop_superseded: object = False) -> TensorBoardSource:
    """Returns the source at a place. SourceError: it is not there, or has no event files."""
    source = TensorBoardSource(existing(place), join=is_set(join), drop_superseded=is_set(drop_superseded))
    source.check()
    return source


class TensorBoardSource:
    """Event files below a folder, or one event file.

    Args:
        path: The folder that TensorBoard would be started on, or a file.
        join: True to make one run of folders such as `train` and `validation` beside each other: their names stand then
            in front of the keys.
        drop_superseded: True to leave out what a training that began again from an earlier step has written anew, as
            TensorBoard shows it. Otherwise every point comes, and a step has several.
    """

    kind = "tensorboard"

    def __init__(self, path: Path, *, join: bool = False, drop_superseded: bool = False) -> None:
        self._path = path
        self._join = join
        self._drop_superseded = drop_superseded
        self._unread = UnreadItems()

    def experiments(self) -> Iterator[SourceExperiment]:
        """None: an experiment has nothing but its name."""
        return iter(())

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Every folder with event files; `since` asks when the files were last written to."""
        folders = self._folders()
        names = {folder.name: folder.id for folder in folders}
        for folder in folders:
            if since is None or any(_changed(file.path) >= since for file in folder.files):
                yield self._run(folder, names)

    def unread(self) -> Sequence[Unread]:
        """What has been left out so far."""
        return self._unread()

    def check(self) -> None:
        """SourceError: there are no event files."""
        self._folders()

    def _experiment(self) -> str:
        resolved = self._path.resolve()
        return resolved.parent.name if resolved.is_file() else resolved.name

    def _run(self, folder: _Folder, names: dict[str, str]) -> SourceRun:
        files = RunFiles(folder.files, self._unread, drop_superseded=self._drop_superseded)
        overview = files.overview()
        session = overview.session
        return SourceRun(
            id=folder.id,
            experiment=self._experiment(),
            name=self._experiment() if folder.name == "." else folder.name,
            state=session.state or "FINISHED",
            start_time=overview.start_time,
            end_time=overview.end_time,
            parent=_parent(folder.name, names),
            params=session.params,
            tags=session.tags,
            points=files.points,
            files=lambda: files_of(files, self._unread),
        )

    def _folders(self) -> list[_Folder]:
        """Runs in the order of their paths, so that one stands before those below it."""
        found: dict[str, _Folder] = {}
        for path in _event_files(self._path):
            relative = path.parent.relative_to(self._path) if self._path.is_dir() else Path()
            prefix = ""
            if self._join and relative.name.lower() in JOINED:
                prefix, relative = f"{relative.name}/", relative.parent
            name = relative.as_posix()
            found.setdefault(name, _Folder(name)).files.append(EventFile(path, prefix))
        if not found:
            raise SourceError(
                f"{self._path}: there are no event files of TensorBoard's, whose names have `tfevents`; give the "
                "folder that TensorBoard is started on"
            )
        return [found[name] for name in sorted(found, key=lambda name: () if name == "." else tuple(name.split("/")))]


def _event_files(path: Path) -> Iterator[Path]:
    """Event files below a folder, by folder and by name, which begins with the time at which the file does."""
    if path.is_file():
        yield path
        return
    seen: set[str] = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()  # a link that leads back
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            if "tfevents" in name and not name.endswith(".profile-empty"):
                yield Path(folder) / name


def _parent(name: str, names: dict[str, str]) -> str | None:
    """The run in whose folder a run's folder is; the source's own folder is nobody's parent."""
    parts = name.split("/")
    above = ("/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
    return next((names[each] for each in above if each in names), None)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0
