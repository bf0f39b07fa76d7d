"""Runs as a file store of MLflow, `mlruns`: what MLflow's own client and pages read, and `mlflow migrate-filestore`.

Ids are fleetlog's own; MLflow takes them. Params are texts there. A name of which no file can be made is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from fleetlog_core.errors import shown

from fleetlog._calls.base import Experiments
from fleetlog._views.views import Experiment, RunView
from fleetlog.client import Client
from fleetlog.exporters.folders import new_folder
from fleetlog.exporters.progress import Exported

_STATES = {"RUNNING": 1, "SCHEDULED": 2, "FINISHED": 3, "FAILED": 4, "KILLED": 5, "LOST": 4}
_TRASH = ".trash"
_ARTIFACTS = "artifacts"
_NAME_BYTES = 255


def export_mlruns(
    client: Client,
    folder: Path,
    filter: str = "",  # noqa: A002
    *,
    experiments: Experiments = None,
    files: bool = True,
    on_progress: Callable[[Exported], None] | None = None,
) -> Exported:
    """Write runs to a folder as MLflow keeps them.

    Args:
        client: Where the runs are.
        folder: A folder that is new or empty.
        filter: What runs must be, see docs/filter.md; "" = all.
        experiments: Names, numbers or Experiments; None = all.
        files: Whether the runs' files are written too.
        on_progress: Is told of each run.

    Returns:
        Exported: what was written.

    Raises:
        FleetlogError: The server does not answer, or the folder can't be written to.

    """
    done, known = Exported(), dict[int, tuple[Path, Experiment]]()
    new_folder(folder)
    every = {one.id: one for one in client.experiments(deleted="all")}
    for run in client.stream_runs(filter, experiments=experiments, deleted="all"):
        if run.experiment_id not in known:
            one = every[run.experiment_id]
            known[run.experiment_id] = (_experiment_folder(folder, one, done.left_out), one)
        home, _ = known[run.experiment_id]
        done.points += _write_run(home / run.id, run, done.left_out)
        if files:
            done.files += len(client.download_artifacts(run, None, home / run.id / _ARTIFACTS))
        done.runs += 1
        if on_progress is not None:
            on_progress(done)
    return done


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
