"""MLflow's file store, `mlruns`: a folder an experiment, in it a folder a run; deleted experiments are below .trash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetlog.importers.mlflow_stores.artifact_places import ArtifactPlaces
from fleetlog.importers.mlflow_stores.meta_files import MetaError, read_meta
from fleetlog.importers.mlflow_stores.run_folders import RunFolder, RunFolders, read_text_files
from fleetlog.importers.run_order import origins_first
from fleetlog.importers.source import SourceError, SourceExperiment, SourceRun, Unread

TRASH = ".trash"
_RUN_CHARACTERS = 32
_NO_RUNS = ("models", "datasets", "tags", "traces", "artifacts")


@dataclass(frozen=True, slots=True)
class _Experiment:
    path: Path
    name: str
    deleted: bool


class MlflowFileStore:
    """Reads a folder of MLflow's file store. `artifacts`, `served`: see ArtifactPlaces. SourceError: it is none."""

    kind = "mlflow"

    def __init__(self, folder: Path, artifacts: Path | None = None, served: Path | None = None) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise SourceError(f"{folder} is no folder; give the folder that MLflow calls mlruns")
        self._unread: list[Unread] = []
        self.artifacts = ArtifactPlaces(artifacts, self._unread, served)
        self._folders = RunFolders(self.artifacts, self._unread)
        self._experiments = list(self._found())
        if not self._experiments:
            raise SourceError(f"{folder} has no experiment: below it there is no folder with a meta.yaml")

    def experiments(self) -> Iterator[SourceExperiment]:
        """Yields the experiments, deleted ones too."""
        for one in self._experiments:
            yield SourceExperiment(one.name, read_text_files(one.path / "tags", self._unread), one.deleted)

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Yields the runs by experiment, and in it by start; parents first."""
        looked = [
            (folder, experiment)
            for experiment in self._experiments
            for folder in self._run_folders(experiment)
            if since is None or folder.has_changed(since)
        ]
        looked.sort(key=lambda one: (one[0].experiment, one[0].start_time, one[0].run_id))
        for folder, experiment in origins_first(looked, lambda one: one[0].run_id, lambda one: (one[0].parent,)):
            run = self._folders.read(folder, is_deleted=experiment.deleted)
            if run is not None:
                yield run

    def unread(self) -> Sequence[Unread]:
        """Returns what has been left out so far."""
        return list(dict.fromkeys(self._unread))

    def experiment_folders(self) -> Iterator[tuple[str, Path]]:
        """Yields experiments by name, and their folders."""
        for one in self._experiments:
            yield one.name, one.path

    def leave_out(self, one: Unread) -> None:
        """Take note of something that can't be read."""
        self._unread.append(one)

    def _found(self) -> Iterator[_Experiment]:
        for root, in_trash in ((self.folder, False), (self.folder / TRASH, True)):
            if not root.is_dir():
                continue
            for path in sorted(root.iterdir()):
                if path.name in _NO_RUNS or path.name == TRASH or not (path / "meta.yaml").exists():
                    continue
                try:
                    meta = read_meta(path / "meta.yaml")
                except (MetaError, OSError) as error:
                    offset = error.offset if isinstance(error, MetaError) else None
                    why = "the name of the experiment can't be read, its runs go to one named as the folder"
                    self._unread.append(Unread(str(path / "meta.yaml"), f"{why}: {error}", offset))
                    meta = {}
                deleted = in_trash or meta.get("lifecycle_stage") == "deleted"
                yield _Experiment(path, str(meta.get("name") or path.name), deleted)

    def _run_folders(self, experiment: _Experiment) -> Iterator[RunFolder]:
        for path in sorted(experiment.path.iterdir()):
            if path.name in _NO_RUNS or not path.is_dir():
                continue
            if not (path / "meta.yaml").exists():
                if len(path.name) == _RUN_CHARACTERS:
                    self._unread.append(Unread(str(path), "the run has no meta.yaml"))
                continue
            found = self._folders.look(path, experiment.name)
            if found is not None:
                yield found
