"""fleetlog and MLflow one after the other on this machine, with the same writes and the same searches.

    python -m benchmarks against_mlflow                               MLflow on SQLite, and on PostgreSQL if it is there
    FLEETLOG_BENCH_RUNS=500 python -m benchmarks against_mlflow       a smaller fleet: MLflow takes long to load one
    FLEETLOG_BENCH_CALLS=100 …                                        fewer calls and steps than 500 of each kind

fleetlog is `fleetlog up`, MLflow is `mlflow server` with its defaults; both write to the disk before they acknowledge.
Each server is alone while it is measured. Ratios above 1 say that fleetlog does more in a second, or answers sooner.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import fleetlog

from benchmarks import searches
from benchmarks.figure import Figure, number
from benchmarks.mlflow_server import mlflow_environment, mlflow_python, mlflow_server, mlflow_version
from benchmarks.postgres import postgres, postgres_binaries
from benchmarks.server import running
from benchmarks.workload import METRICS, REQUEST_POINTS, Sizes, Tracker, results

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENT = "bench"
FLUSH_SECONDS = 600.0


def measure(sizes: Sizes | None = None) -> Iterator[Figure]:
    """fleetlog, then MLflow on each store."""
    sizes = sizes or asked()
    with running() as server:
        ours = told("fleetlog", results(make, server.target, sizes))
    python = mlflow_python()
    others = {"SQLite": told("MLflow on SQLite", on_sqlite(python, sizes))}
    binaries = postgres_binaries()
    if binaries is None:
        print("benchmarks: PostgreSQL IS NOT INSTALLED: MLflow on it is LEFT OUT of the table", file=sys.stderr)
    else:
        others["PostgreSQL"] = told("MLflow on PostgreSQL", on_postgres(python, binaries, sizes))
    version = mlflow_version(python)
    for key, (name, unit, detail) in rows(sizes).items():
        yield compared(f"{name} (MLflow {version})", key, unit, detail, ours, others)


def asked() -> Sizes:
    """What the environment says."""
    calls = int(os.environ.get("FLEETLOG_BENCH_CALLS", "500"))
    return Sizes(calls=calls, steps=calls, runs=int(os.environ.get("FLEETLOG_BENCH_RUNS", "5000")))


def told(name: str, found: dict[str, float]) -> dict[str, float]:
    """The results, and said at once: the next may take long."""
    print(f"benchmarks: {name}: {', '.join(f'{key} {number(value)}' for key, value in found.items())}", file=sys.stderr)
    return found


def rows(sizes: Sizes) -> dict[str, tuple[str, str, str]]:
    """What is told of each result: its name, its unit, and how much was done."""
    calls, steps, waited = f"{sizes.calls:,} calls", f"{sizes.steps:,} steps", f"{sizes.waited:,} in turn"
    bulk = f"{sizes.requests * REQUEST_POINTS:,} points; log_series, log_batch of {REQUEST_POINTS:,}"
    fleet = f"{sizes.runs:,} runs"
    step = f"a step of {METRICS}"
    return {
        "call rate": ("single metric calls, each by its default", "calls/s", f"{calls}; MLflow waits for each"),
        "unwaited call rate": ("single metric calls, not waited for", "calls/s", f"{calls}; MLflow synchronous=False"),
        "waited call p50": ("a single metric call until it can be read, p50", "ms", waited),
        "waited call p95": ("a single metric call until it can be read, p95", "ms", waited),
        "step rate": (f"{step} metrics, each by its default", "steps/s", f"{steps}; MLflow log_batch waits for each"),
        "unwaited step rate": (f"{step} metrics, not waited for", "steps/s", f"{steps}; MLflow synchronous=False"),
        "waited step p50": (f"{step} metrics until it can be read, p50", "ms", waited),
        "waited step p95": (f"{step} metrics until it can be read, p95", "ms", waited),
        "bulk rate": ("bulk", "points/s", bulk),
        "writers rate": (f"{sizes.writers} writer processes, {step}", "steps/s", f"{sizes.writer_steps:,} steps each"),
        "load rate": ("runs loaded, 45 values each", "runs/s", f"{fleet}; MLflow by 8 threads"),
        "two conditions p50": ("search by two conditions, top 10, p50", "ms", fleet),
        "two conditions p95": ("search by two conditions, top 10, p95", "ms", fleet),
        "order by p50": ("order by a metric, top 10, p50", "ms", fleet),
        "order by p95": ("order by a metric, top 10, p95", "ms", fleet),
    }


def compared(
    name: str, key: str, unit: str, detail: str, ours: dict[str, float], others: dict[str, dict[str, float]]
) -> Figure:
    """Our number, and of each store MLflow's with the ratio."""
    beside = []
    for store, theirs in others.items():
        ratio = ours[key] / theirs[key] if key.endswith("rate") else theirs[key] / ours[key]
        beside.append(f"{store} {number(theirs[key])} {unit}, {number(ratio)}×")
    return Figure(name, ours[key], unit, detail=f"{'; '.join(beside)}; {detail}")


def on_sqlite(python: Path, sizes: Sizes) -> dict[str, float]:
    """MLflow's results on SQLite, its default."""
    with tempfile.TemporaryDirectory(prefix="fleetlog-bench-mlflow-") as name:
        folder = Path(name)
        return by_mlflow(python, f"sqlite:///{folder / 'mlflow.db'}", folder, sizes)


def on_postgres(python: Path, binaries: Path, sizes: Sizes) -> dict[str, float]:
    """MLflow's results on PostgreSQL."""
    with postgres(binaries) as url, tempfile.TemporaryDirectory(prefix="fleetlog-bench-mlflow-") as name:
        return by_mlflow(python, url, Path(name), sizes)


def by_mlflow(python: Path, store: str, folder: Path, sizes: Sizes) -> dict[str, float]:
    """The workload by MLflow's client, in a process of the Python that has it."""
    found = folder / "results.json"
    with mlflow_server(python, store, folder) as url:
        subprocess.run(
            [python, "-m", "benchmarks.mlflow_side", url, json.dumps(asdict(sizes)), found],
            check=True, cwd=folder, env={**mlflow_environment(), "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return {str(key): float(value) for key, value in json.loads(found.read_text()).items()}


class FleetlogTracker:
    """See Tracker."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._client = fleetlog.Client(target)
        self._client.create_experiment(EXPERIMENT, exist_ok=True)
        self._experiment = EXPERIMENT
        self._runs: dict[str, fleetlog.Run] = {}

    def start(self, name: str) -> str:
        """See Tracker."""
        run = fleetlog.start_run(EXPERIMENT, name, target=self._target)
        self._runs[run.id] = run
        return run.id

    def end(self, run: str) -> None:
        """See Tracker."""
        self._runs.pop(run).finish()

    def log(self, run: str, metrics: dict[str, float], step: int) -> None:
        """See Tracker: into the client's buffer."""
        self._runs[run].log(metrics, step=step)

    log_unwaited = log

    def log_bulk(self, run: str, key: str, values: Sequence[float]) -> None:
        """See Tracker."""
        self._runs[run].log_series(key, steps=list(range(len(values))), values=list(values))

    def settle(self) -> None:
        """See Tracker."""
        self._client.flush(timeout=FLUSH_SECONDS, level="applied")

    def count(self, run: str, key: str) -> int:
        """See Tracker."""
        return len(self._client.read_metric(run, key).values)

    def load(self, runs: int) -> None:
        """See Tracker."""
        self._client.create_experiment(searches.EXPERIMENT, exist_ok=True)
        searches.log_runs(self._client, self._target, searches.EXPERIMENT, runs)
        self._experiment = searches.EXPERIMENT

    def search(self, where: str, order_by: str) -> int:
        """See Tracker."""
        order = [order_by] if order_by else []
        return len(self._client.search_runs(where, experiments=[self._experiment], order_by=order, limit=10))


def make(target: str) -> Tracker:
    """See Make."""
    return FleetlogTracker(target)
