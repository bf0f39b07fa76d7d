"""Writing: bulk series, steps of few and of many metrics, one call a point, many writer processes, what a step costs.

Every figure ends when all points can be read, and counts them there.
"""

from __future__ import annotations

import multiprocessing
import time

import fleetlog
import numpy as np

from benchmarks.figure import Figure, quantile
from benchmarks.server import Server, running

METRICS = 20


def measure() -> list[Figure]:
    """All of them, each on a server of its own."""
    figures = []
    for one in (bulk, steps, calls, caller):
        with running() as server:
            figures += one(server)
    for metrics, mark in ((10_000, 1_200_000), (50_000, 500_000)):
        with running() as server:
            figures += wide_steps(server, metrics, mark)
    for writers in (8, 32):
        with running() as server:
            figures += many_writers(server, writers)
    return figures


def points_there(client: fleetlog.Client, experiment: str) -> int:
    """How many points can be read of an experiment."""
    runs = client.search_runs(experiments=[experiment], summaries=True, limit=None)
    return sum(run.summary(key).count for run in runs for key in run.metrics)


def bulk(server: Server, points: int = 5_000_000, series: int = 5, mark: float = 500_000) -> list[Figure]:
    """Whole arrays through log_series, and one of them back."""
    rng = np.random.default_rng(7)
    count = points // series
    steps = np.arange(count, dtype=np.int64)
    values = [
        (3 * np.exp(-steps / count) + rng.normal(0, 0.05, count)).astype(np.float32).astype(np.float64)
        for _ in range(series)
    ]
    client = fleetlog.Client(server.target)
    client.create_experiment("bulk", exist_ok=True)
    begun = time.perf_counter()
    run = fleetlog.start_run(experiment="bulk", name="bulk", target=server.target)
    for place, column in enumerate(values):
        run.log_series(f"loss_{place}", steps=steps, values=column)
    run.finish()
    run.flush(timeout=300, level="applied")
    seconds = time.perf_counter() - begun
    there = points_there(client, "bulk")
    if there != points:
        raise AssertionError(f"{there} of {points} points are there")
    begun = time.perf_counter()
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        read = client.get_run(run.id).metric("loss_0")
        if len(read.values) != count:
            raise AssertionError("not the whole series")
        times.append((time.perf_counter() - begun) * 1e3)
    return [
        Figure(
            "bulk, end to end",
            points / seconds,
            "points/s",
            mark,
            False,
            f"{points:,} points, {series} series",
        ),
        Figure(f"one series of {count:,} points to numpy", quantile(times, 0.5), "ms", 200, True, "p50 of 7"),
    ]


def step_rows(run: fleetlog.Run, count: int) -> list[float]:
    """Log `count` steps of twenty metrics back to back; microseconds of each call."""
    row = {f"metric_{place}": 0.5 + place for place in range(METRICS)}
    costs = []
    clock = time.perf_counter_ns
    for step in range(count):
        row["metric_0"] = 1.0 / (1 + step)
        begun = clock()
        run.log(row, step=step)
        costs.append((clock() - begun) / 1e3)
    return costs


def steps(server: Server, count: int = 100_000) -> list[Figure]:
    """Twenty metrics a step through run.log, from one process."""
    client = fleetlog.Client(server.target)
    client.create_experiment("steps", exist_ok=True)
    begun = time.perf_counter()
    run = fleetlog.start_run(experiment="steps", target=server.target)
    step_rows(run, count)
    run.finish()
    run.flush(timeout=300, level="applied")
    seconds = time.perf_counter() - begun
    there = points_there(client, "steps")
    if there != count * METRICS:
        raise AssertionError(f"{there} of {count * METRICS} points are there")
    rate = count * METRICS / seconds
    return [Figure("20 metrics a step, end to end", rate, "points/s", 300_000, False, f"{count:,} steps")]


def calls(server: Server, count: int = 50_000) -> list[Figure]:
    """Twenty metrics a step, each by a call of its own."""
    client = fleetlog.Client(server.target)
    client.create_experiment("calls", exist_ok=True)
    keys = [f"metric_{place}" for place in range(METRICS)]
    begun = time.perf_counter()
    run = fleetlog.start_run(experiment="calls", target=server.target)
    for step in range(count):
        for key in keys:
            run.log({key: 0.5}, step=step)
    return [_ended("one call a point, end to end", run, client, begun, count * METRICS, 400_000)]


def wide_steps(server: Server, metrics: int, mark: float, points: int = 5_000_000) -> list[Figure]:
    """Many metrics a step, as norms of every layer are."""
    client = fleetlog.Client(server.target)
    client.create_experiment("wide", exist_ok=True)
    row = {f"layer_{place}/norm": 0.5 + place for place in range(metrics)}
    count = points // metrics
    begun = time.perf_counter()
    run = fleetlog.start_run(experiment="wide", target=server.target)
    for step in range(count):
        row["layer_0/norm"] = 1.0 / (1 + step)
        run.log(row, step=step)
    return [_ended(f"{metrics:,} metrics a step, end to end", run, client, begun, count * metrics, mark)]


def _ended(name: str, run: fleetlog.Run, client: fleetlog.Client, begun: float, points: int, mark: float) -> Figure:
    """Points a second since `begun`, when all of the run can be read."""
    run.finish()
    run.flush(timeout=300, level="applied")
    seconds = time.perf_counter() - begun
    view = client.get_run(run.id)
    there = sum(view.summary(key).count for key in view.metrics)
    if there != points:
        raise AssertionError(f"{there} of {points} points are there")
    return Figure(name, points / seconds, "points/s", mark, False, f"{points:,} points")


def caller(server: Server, count: int = 50_000) -> list[Figure]:
    """What a step of twenty metrics costs its caller, back to back, while the sender works beside it."""
    run = fleetlog.start_run(experiment="caller", target=server.target)
    costs = step_rows(run, count)
    run.finish()
    return [
        Figure("a step of 20 metrics, caller p50", quantile(costs, 0.5), "µs", 15, True, f"{count:,} steps"),
        Figure(
            "a step of 20 metrics, caller p99",
            quantile(costs, 0.99),
            "µs",
            1000,
            True,
            f"max {max(costs):,.0f} µs",
        ),
    ]


def writer(target: str, name: str, count: int) -> None:
    """One writer process."""
    run = fleetlog.start_run(experiment="writers", name=name, target=target)
    step_rows(run, count)
    run.finish()
    run.flush(timeout=300, level="applied")


def many_writers(server: Server, writers: int, points: int = 6_400_000) -> list[Figure]:
    """Writer processes side by side, every step of every one checked."""
    client = fleetlog.Client(server.target)
    client.create_experiment("writers", exist_ok=True)
    count = points // METRICS // writers
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=writer, args=(server.target, f"writer-{place}", count)) for place in range(writers)
    ]
    begun = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - begun
    runs = client.search_runs(experiments=["writers"], summaries=True, limit=None)
    whole = sum(run.summary(key).count == count for run in runs for key in run.metrics)
    if whole != writers * METRICS:
        raise AssertionError(f"{whole} of {writers * METRICS} series are whole")
    rate = writers * METRICS * count / seconds
    detail = "every step there; process start included"
    return [Figure(f"{writers} writer processes", rate, "points/s", 400_000, False, detail)]
