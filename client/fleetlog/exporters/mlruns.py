"""Runs as a file store of MLflow, `mlruns`: what MLflow's own client and pages read, and `mlflow migrate-filestore`.

Ids are fleetlog's own; MLflow takes them. Params are texts there. A name of which no file can be made is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from fleetlog_core.errors import shown

from fleetlog._views.views import Experiment, RunView

_STATES = {"RUNNING": 1, "SCHEDULED": 2, "FINISHED": 3, "FAILED": 4, "KILLED": 5, "LOST": 4}
_TRASH = ".trash"
_ARTIFACTS = "artifacts"
_NAME_BYTES = 255


class MlrunsFolder(AbstractContextManager["MlrunsFolder"]):
    """Runs as MLflow keeps them. `experiments`: by number."""

    def __init__(self, folder: Path, experiments: Mapping[int, Experiment]) -> None:
        self._folder = folder
        self._experiments = experiments
        self._homes: dict[int, Path] = {}
        self.left_out: list[str] = []

    def add(self, run: RunView) -> int:
        """Write a run, in the folder of its experiment."""
        if run.experiment_id not in self._homes:
            one = self._experiments[run.experiment_id]
            self._homes[run.experiment_id] = _experiment_folder(self._folder, one, self.left_out)
        return _write_run(self._homes[run.experiment_id] / run.id, run, self.left_out)

    def files_of(self, run: RunView) -> Path:
        """Returns the folder of the run's files."""
        return self._homes[run.experiment_id] / run.id / _ARTIFACTS

    def __exit__(self, *_: object) -> None:
        """All is written already."""


def _experiment_folder(root: Path, one: Experiment, left_out: list[str]) -> Path:
    folder = (root / _TRASH if one.deleted else root) / str(one.id)
    _write_texts(folder / "tags", one.tags, left_out)
    stage = "deleted" if one.deleted else "active"
    _write_meta(
        folder, {"artifact_location": "", "experiment_id": str(one.id), "lifecycle_stage": stage, "name": one.name}
    )
    return folder


def _write_run(folder: Path, run: RunView, left_out: list[str]) -> int:
    end = run.end_time
    _write_meta(
        folder,
        {
            "artifact_uri": str((folder / _ARTIFACTS).absolute()),
            "end_time": None if end is None else round(end.timestamp() * 1000),
            "entry_point_name": "",
            "experiment_id": str(run.experiment_id),
            "lifecycle_stage": "deleted" if run.deleted else "active",
            "run_id": run.id,
            "run_name": run.name,
            "source_name": "",
            "source_type": 4,
            "source_version": "",
            "start_time": round(run.start_time.timestamp() * 1000),
            "status": _STATES.get(run.state, 1),
            "tags": [],
            "user_id": run.user,
        },
    )
    parent = {} if run.parent_id is None else {"mlflow.parentRunId": run.parent_id}
    _write_texts(folder / "tags", {**run.tags, **parent}, left_out)
    _write_texts(folder / "params", {key: _text(value) for key, value in run.params.items()}, left_out)
    (folder / "metrics").mkdir(parents=True, exist_ok=True)
    return sum(_write_metric(folder / "metrics", run, key, left_out) for key in run.metrics)


def _write_metric(folder: Path, run: RunView, key: str, left_out: list[str]) -> int:
    series = run.metric(key)
    path = _place(folder, key, left_out)
    if path is None:
        return 0
    columns = (np.asarray(series.times).tolist(), np.asarray(series.values).tolist(), np.asarray(series.steps).tolist())
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{time} {value!r} {step}\n" for time, value, step in zip(*columns, strict=True))
    return len(columns[0])


def _write_texts(folder: Path, texts: Mapping[str, str], left_out: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for key, text in texts.items():
        path = _place(folder, key, left_out)
        if path is not None:
            path.write_bytes(text.encode())


def _place(folder: Path, key: str, left_out: list[str]) -> Path | None:
    """The file of a key, whose folder is there; None when there can be none, which is told."""
    parts = key.split("/")
    path = folder.joinpath(*parts)
    if any(part in ("", ".", "..") or "\\" in part or len(part.encode()) > _NAME_BYTES for part in parts):
        left_out.append(f"{folder}: {shown(key)} can be no file's name")
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        left_out.append(f"{folder}: {shown(key)} is below a key that has a file")
        return None
    if path.is_dir():
        left_out.append(f"{folder}: {shown(key)} has keys below it")
        return None
    return path


def _write_meta(folder: Path, fields: Mapping[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}: {_yaml(value)}\n" for name, value in fields.items()]
    (folder / "meta.yaml").write_text("".join(lines), encoding="utf-8")


def _yaml(value: object) -> str:
    """A scalar of YAML, or an empty list."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def _text(value: object) -> str:
    """As MLflow's client writes a param."""
    return str(value)
