"""Runs as folders of TensorBoard's event files: `tensorboard --logdir FOLDER`. Points alone, none of them rounded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from fleetlog._views.views import Experiment, RunView
from fleetlog.exporters.event_records import scalar_records, version_record

_NOT_IN_NAMES = re.compile(r"[^\w.=-]+")
_NAME_CHARACTERS = 80


class TensorboardFolder(AbstractContextManager["TensorboardFolder"]):
    """Points of runs: a folder an experiment, in it one a run. `experiments`: by number."""

    def __init__(self, folder: Path, experiments: Mapping[int, Experiment]) -> None:
        self._folder = folder
        self._experiments = experiments
        self.left_out: list[str] = []

    def add(self, run: RunView) -> int:
        """Write a run."""
        home = self._home(run)
        home.mkdir(parents=True)
        return _write_run(home, run)

    def files_of(self, run: RunView) -> Path:
        """Returns the folder of the run's files, beside its events."""
        return self._home(run) / "files"

    def __exit__(self, *_: object) -> None:
        """All is written already."""

    def _home(self, run: RunView) -> Path:
        experiment = self._experiments.get(run.experiment_id)
        name = "" if experiment is None else experiment.name
        return self._folder / _name(name, str(run.experiment_id)) / _name(run.name, run.id)


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
