"""Runs as folders of TensorBoard's event files: `tensorboard --logdir FOLDER`. Points alone, none of them rounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fleetlog._calls.base import Experiments
from fleetlog._views.views import RunView
from fleetlog.client import Client
from fleetlog.exporters.event_records import scalar_records, version_record
from fleetlog.exporters.folders import new_folder
from fleetlog.exporters.progress import Exported

_NOT_IN_NAMES = re.compile(r"[^\w.=-]+")
_NAME_CHARACTERS = 80


def export_tensorboard(
    client: Client,
    folder: Path,
    filter: str = "",  # noqa: A002
    *,
    experiments: Experiments = None,
    files: bool = True,
    on_progress: Callable[[Exported], None] | None = None,
) -> Exported:
    """Write the points of runs to a folder, in it a folder an experiment, and in that one a run.

    Args:
        client: Where the runs are.
        folder: A folder that is new or empty.
        filter: What runs must be, see docs/filter.md; "" = all.
        experiments: Names, numbers or Experiments; None = all.
        files: Whether the runs' files are written too, beside the events, in the folder `files`.
        on_progress: Is told of each run.

    Returns:
        Exported: what was written.

    Raises:
        FleetlogError: The server does not answer, or the folder can't be written to.

    """
    done = Exported()
    new_folder(folder)
    names = {one.id: one.name for one in client.experiments(deleted="all")}
    for run in client.stream_runs(filter, experiments=experiments, deleted="all"):
        home = folder / _name(names.get(run.experiment_id, ""), str(run.experiment_id)) / _name(run.name, run.id)
        home.mkdir(parents=True)
        done.points += _write_run(home, run)
        if files:
            done.files += len(client.download_artifacts(run, None, home / "files"))
        done.runs += 1
        if on_progress is not None:
            on_progress(done)
    return done


def _write_run(folder: Path, run: RunView) -> int:
    start, count = run.start_time.timestamp(), 0
    with (folder / f"events.out.tfevents.{int(start)}.fleetlog").open("wb") as file:
        file.write(version_record(start))
        for key in run.metrics:
            series = run.metric(key)
            steps, times, values = (np.asarray(one) for one in (series.steps, series.times, series.values))
            for records in scalar_records(key, steps, times, values):
                file.write(records)
            count += len(steps)
    return count


def _name(name: str, unique: str) -> str:
    """The name of a folder, which no other run or experiment has."""
    readable = _NOT_IN_NAMES.sub("-", name)[:_NAME_CHARACTERS].strip("-.")
    return f"{readable}-{unique}" if readable else unique
