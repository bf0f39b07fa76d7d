"""MLflow's part of against_mlflow: the workload by MLflow's own client. Run by the Python that has MLflow.

python -m benchmarks.mlflow_side TARGET SIZES RESULTS      sizes as JSON; results go to a file, as JSON
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from benchmarks.fleet_runs import STEP, FleetRun, fleet_runs
from benchmarks.workload import REQUEST_POINTS, Sizes, Tracker, results

EXPERIMENT = "bench"
LOADERS = 8
"""Threads that load a fleet: as many requests are out at a time."""


class MlflowTracker:
    """See Tracker."""

    def __init__(self, target: str) -> None:
        self._client = MlflowClient(target)
        found = self._client.get_experiment_by_name(EXPERIMENT)
        self._experiment = str(found.experiment_id if found else self._client.create_experiment(EXPERIMENT))
        self._operations: list[Any] = []

    def start(self, name: str) -> str:
        """See Tracker."""
        return str(self._client.create_run(self._experiment, run_name=name).info.run_id)

    def end(self, run: str) -> None:
        """See Tracker."""
        self._client.set_terminated(run)

    def log(self, run: str, metrics: dict[str, float], step: int) -> None:
        """See Tracker: returns when the server has it."""
        if len(metrics) == 1:
            [(key, value)] = metrics.items()
            self._client.log_metric(run, key, value, step=step)
        else:
            self._client.log_batch(run, metrics=_metrics(metrics, step))

    def log_unwaited(self, run: str, metrics: dict[str, float], step: int) -> None:
        """See Tracker."""
        if len(metrics) == 1:
            [(key, value)] = metrics.items()
            self._operations.append(self._client.log_metric(run, key, value, step=step, synchronous=False))
        else:
            self._operations.append(self._client.log_batch(run, metrics=_metrics(metrics, step), synchronous=False))

    def log_bulk(self, run: str, key: str, values: Sequence[float]) -> None:
        """See Tracker: requests as large as MLflow takes them."""
        now = time.time_ns() // 1_000_000
        for first in range(0, len(values), REQUEST_POINTS):
            piece = values[first : first + REQUEST_POINTS]
            self._client.log_batch(run, metrics=[Metric(key, value, now, first + i) for i, value in enumerate(piece)])

    def settle(self) -> None:
        """See Tracker."""
        operations, self._operations = self._operations, []
        for operation in operations:
            operation.wait()

    def count(self, run: str, key: str) -> int:
        """See Tracker."""
        return len(self._client.get_metric_history(run, key))

    def load(self, runs: int) -> None:
        """See Tracker."""
        fleet = str(self._client.create_experiment("fleet"))

        def one(run: FleetRun) -> None:
            tags = [RunTag(key, value) for key, value in run.tags.items()]
            params = [Param(key, str(value)) for key, value in run.params.items()]
            run_id = self._client.create_run(fleet, run_name=run.name).info.run_id
            self._client.log_batch(run_id, metrics=_metrics(run.metrics, STEP), params=params, tags=tags)
            self._client.set_terminated(run_id)

        with ThreadPoolExecutor(LOADERS) as pool:
            for _ in pool.map(one, fleet_runs(runs)):
                pass
        self._experiment = fleet

    def search(self, where: str, order_by: str) -> int:
        """See Tracker."""
        order = [order_by] if order_by else None
        return len(self._client.search_runs([self._experiment], where, max_results=10, order_by=order))


def _metrics(metrics: dict[str, float], step: int) -> list[Metric]:
    now = time.time_ns() // 1_000_000
    return [Metric(key, value, now, step) for key, value in metrics.items()]


def make(target: str) -> Tracker:
    """See Make."""
    return MlflowTracker(target)


def main(target: str, sizes: str, path: str) -> None:
    """The command."""
    Path(path).write_text(json.dumps(results(make, target, Sizes(**json.loads(sizes)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
