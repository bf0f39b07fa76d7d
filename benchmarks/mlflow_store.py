"""MLflow's client and pages on fleetlog as their store. Needs mlflow-skinny: pip install 'fleetlog[mlflow]'.

What a page costs a process of `fleetlog mlflow-ui` is measured in this process; with all of mlflow installed
(fleetlog[mlflow-server]) also by HTTP, as a browser sees it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import fleetlog
import mlflow
from fleetlog.mlflow_plugin.served import STORE
from fleetlog_mlflow import tracking_store
from mlflow.entities import ViewType

from benchmarks.figure import Figure, quantile
from benchmarks.fleet_tables import fleet_tables
from benchmarks.mlflow_pages import mlflow_pages
from benchmarks.searches import ANY, EXPERIMENT
from benchmarks.server import running

RUNS = 100_000
CALLS, STEPS, METRICS = 5_000, 20_000, 20
PAGE = 100
CHART_RUNS, CHART_POINTS, CHART_STEPS = 100, 1_000, 320
"""Steps of a chart: as many as MLflow's page asks for."""


def measure(runs: int = RUNS) -> Iterator[Figure]:
    """Log, load, then read."""
    with running() as server:
        uri = f"fleetlog://{server.target}"
        mlflow.set_tracking_uri(uri)
        yield _one_metric("one line", 130)
        mlflow.set_registry_uri(uri)
        yield _one_metric("registry URI set too", 30)
        yield _steps()
        client = fleetlog.Client(server.target)
        for table in fleet_tables(runs):
            client.import_runs(table, EXPERIMENT)
        charted = _charted(server.target)
        client.flush(timeout=3600, level="applied")
        yield from _reads(uri, charted, f"{runs:,} runs")


def _one_metric(how: str, mark: float) -> Figure:
    micros = []
    with mlflow.start_run():
        spent = time.thread_time()
        for step in range(CALLS):
            begun = time.perf_counter()
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
            micros.append((time.perf_counter() - begun) * 1e6)
        spent = (time.thread_time() - spent) * 1e6 / CALLS
    detail = f"{CALLS:,} calls; p99 {quantile(micros, 0.99):.0f} µs; {spent:.0f} µs of CPU a call"
    return Figure(f"mlflow.log_metric, {how}, caller p50", quantile(micros, 0.5), "µs", mark, True, detail)


def _steps() -> Figure:
    with mlflow.start_run() as run:
        begun, spent = time.perf_counter(), time.process_time()
        for step in range(STEPS):
            mlflow.log_metrics({f"metric_{i}": step / (i + 1) for i in range(METRICS)}, step=step)
        logged = time.perf_counter() - begun
        there = len(mlflow.MlflowClient().get_metric_history(run.info.run_id, f"metric_{METRICS - 1}"))
        seconds, spent = time.perf_counter() - begun, time.process_time() - spent
    if there != STEPS:
        raise AssertionError(f"{there} of {STEPS} steps are there")
    name = "20 metrics a step by mlflow.log_metrics, until they are read"
    detail = f"{STEPS:,} steps in {seconds:.2f} s, of which the calls {logged:.2f}; {spent:.2f} s of CPU here"
    return Figure(name, STEPS * METRICS / seconds, "points/s", 150_000, False, detail)


def _charted(target: str) -> list[str]:
    found = []
    for place in range(CHART_RUNS):
        run = fleetlog.start_run("charts", f"run-{place}", target=target)
        steps = range(CHART_POINTS)
        run.log_series("loss", steps=list(steps), values=[1.0 / (step + place + 1) for step in steps])
        run.finish(wait=False)
        found.append(run.id)
    return found


def _reads(uri: str, charted: list[str], size: str) -> Iterator[Figure]:
    experiment = mlflow.get_experiment_by_name(EXPERIMENT).experiment_id
    client = mlflow.MlflowClient()

    def search() -> int:
        where = f"metrics.metric_3 > {ANY.uniform(0.8, 0.9):.4f} and params.model = 'gpt2'"
        return len(client.search_runs([experiment], where, max_results=PAGE))

    yield _timed("MlflowClient.search_runs, two conditions, 100 runs", search, 80, size)
    points = f"{CHART_RUNS} runs of {CHART_POINTS:,} points, {CHART_STEPS} steps shown"
    with _served():
        store = tracking_store(uri)

        def table_answer() -> int:
            return len(store.search_json([experiment], "", ViewType.ACTIVE_ONLY, PAGE, [], None))

        def chart_answer() -> int:
            return len(store.interval_json(charted, "loss", CHART_STEPS, None, None))

        yield _timed("MLflow's table of runs, a page of 100, its JSON in hand", table_answer, None, size)
        yield _timed("MLflow's chart of 100 runs, its JSON in hand", chart_answer, None, points)
    if find_spec("flask") is None:
        return
    with TemporaryDirectory() as folder, mlflow_pages(uri.removeprefix("fleetlog://"), Path(folder)) as pages:
        table = "MLflow's table of runs, a page of 100, by HTTP of fleetlog mlflow-ui"
        yield _timed(table, lambda: pages.table(experiment, PAGE), 150, size)
        chart = "MLflow's chart of 100 runs, by HTTP of fleetlog mlflow-ui"
        yield _timed(chart, lambda: pages.chart(charted, "loss", CHART_STEPS), 300, points)


@contextmanager
def _served() -> Iterator[None]:
    """As in a process of `mlflow server`."""
    os.environ[STORE] = "benchmark"
    try:
        yield
    finally:
        del os.environ[STORE]


def _timed(name: str, read: Callable[[], int], mark: float | None, detail: str, times: int = 40) -> Figure:
    """Median of a read, in ms."""
    for _ in range(3):
        read()
    millis: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        if not read():
            raise AssertionError(f"{name}: nothing found")
        millis.append((time.perf_counter() - begun) * 1e3)
    return Figure(
        f"{name}, p50", quantile(millis, 0.5), "ms", mark, True, f"{detail}; p95 {quantile(millis, 0.95):.0f} ms"
    )
