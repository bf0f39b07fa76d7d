"""Searching 100,000 runs of 20 params, 20 metrics and 5 tags, loaded through the gateway."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import fleetlog

from benchmarks.figure import Figure, quantile
from benchmarks.fleet_runs import STEP, fleet_runs
from benchmarks.server import running

RUNS = 100_000
EXPERIMENT = "fleet"
ANY = random.Random()
"""Numbers for searches; two that shall be asked the same have their own."""


def measure(runs: int = RUNS) -> list[Figure]:
    """Load, then search."""
    with running() as server:
        client = fleetlog.Client(server.target)
        client.create_experiment(EXPERIMENT, exist_ok=True)
        begun = time.perf_counter()
        load(client, server.target, runs)
        seconds = time.perf_counter() - begun
        there = sum(1 for _ in client.search_runs(experiments=[EXPERIMENT], read_mask=["attributes"], limit=None))
        if there != runs:
            raise AssertionError(f"{there} of {runs} runs are there")
        size = f"{runs:,} runs"
        return [
            Figure("runs loaded, 45 values each", runs / seconds, "runs/s", 15_000, False, size),
            timed("two conditions, top 10", lambda: two_conditions(client), size),
            timed("order by a metric, no filter, top 10", lambda: ordered(client), size),
            timed("two conditions, 100 runs", lambda: two_conditions(client, 100), size, mark=60),
        ]


def load(client: fleetlog.Client, target: str, runs: int) -> None:
    """Log the runs and wait until they can be searched."""
    for one in fleet_runs(runs):
        run = fleetlog.start_run(EXPERIMENT, one.name, params=one.params, tags=one.tags, target=target)
        run.log(one.metrics, step=STEP)
        run.finish(wait=False)
    client.flush(timeout=600, level="applied")


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
