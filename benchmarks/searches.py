"""Searching 100,000 runs of 20 params, 20 metrics and 5 tags, loaded through the gateway."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import fleetlog

from benchmarks.figure import Figure, quantile
from benchmarks.fleet_runs import STEP, fleet_runs
from benchmarks.fleet_tables import fleet_tables
from benchmarks.server import running

RUNS, LOGGED = 100_000, 10_000
EXPERIMENT = "fleet"
ANY = random.Random()
"""Numbers for searches; two that shall be asked the same have their own."""


def measure(runs: int = RUNS) -> Iterator[Figure]:
    """Load, then search."""
    with running() as server:
        client = fleetlog.Client(server.target)
        yield one_by_one(client, server.target)
        yield from load(client, runs)
        size = f"{runs:,} runs"
        yield timed("two conditions, top 10", lambda: two_conditions(client), size)
        yield timed("order by a metric, no filter, top 10", lambda: ordered(client), size)
        yield timed("two conditions, 100 runs", lambda: two_conditions(client, 100), size, mark=60)


def one_by_one(client: fleetlog.Client, target: str, runs: int = LOGGED) -> Figure:
    """Runs as training code logs them, in another experiment, until they can be searched."""
    begun = time.perf_counter()
    log_runs(client, target, "one by one", runs)
    rate = runs / (time.perf_counter() - begun)
    _must_hold(client, "one by one", runs)
    return Figure("runs logged one by one by one process, 45 values each", rate, "runs/s", detail=f"{runs:,} runs")


def log_runs(client: fleetlog.Client, target: str, experiment: str, runs: int) -> None:
    """Start each run, log it and finish it; wait until all can be searched."""
    for one in fleet_runs(runs):
        run = fleetlog.start_run(experiment, one.name, params=one.params, tags=one.tags, target=target)
        run.log(one.metrics, step=STEP)
        run.finish(wait=False)
    client.flush(timeout=600, level="applied")


def load(client: fleetlog.Client, runs: int) -> Iterator[Figure]:
    """Import the fleet through the gateway, as tables that are there: until it is durable, and until it is readable."""
    tables = list(fleet_tables(runs))
    begun = time.perf_counter()
    for table in tables:
        client.import_runs(table, EXPERIMENT)
    acknowledged = time.perf_counter() - begun
    client.flush(timeout=3600, level="applied")
    readable = time.perf_counter() - begun
    _must_hold(client, EXPERIMENT, runs)
    size = f"{runs:,} runs, 45 values each"
    yield Figure("runs loaded, acknowledged", runs / acknowledged, "runs/s", 15_000, False, size)
    yield Figure("runs loaded, until all can be searched", runs / readable, "runs/s", 15_000, False, size)


def _must_hold(client: fleetlog.Client, experiment: str, runs: int) -> None:
    there = sum(1 for _ in client.search_runs(experiments=[experiment], read_mask=["attributes"], limit=None))
    if there != runs:
        raise AssertionError(f"{there} of {runs} runs are there")


def two_conditions(client: fleetlog.Client, limit: int = 10, rng: random.Random = ANY) -> int:
    """A metric and a param."""
    bound = rng.uniform(0.8, 0.95)
    runs = client.search_runs(
        f"metrics.metric_3 > {bound:.4f} AND params.model = 'gpt2'", experiments=[EXPERIMENT], limit=limit
    )
    return len(runs)


def ordered(client: fleetlog.Client, rng: random.Random = ANY) -> int:
    """The ten lowest of one metric."""
    key = f"metric_{rng.randrange(20)}"
    return len(client.search_runs(experiments=[EXPERIMENT], order_by=[f"metrics.{key} ASC"], limit=10))


def timed(name: str, search: Callable[[], int], detail: str, mark: float = 20, times: int = 100) -> Figure:
    """The p95 of a search, in ms, with the client and its documents."""
    for _ in range(5):
        search()
    millis = []
    for _ in range(times):
        begun = time.perf_counter()
        if not search():
            raise AssertionError(f"{name}: nothing found")
        millis.append((time.perf_counter() - begun) * 1e3)
    return Figure(
        f"{name}, p95",
        quantile(millis, 0.95),
        "ms",
        mark,
        True,
        f"{detail}; p50 {quantile(millis, 0.5):.1f} ms",
    )
