"""Writes and searches that are the same for any tracker. No package is needed: each runs them where it is installed.

A write counts when it can be read. A tracker is asked in the way that its users ask it: what it does at once and what
in the background is its own affair, and rows of the table say which of the two was measured.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Protocol

METRICS = 20
"""Metrics of one step."""
REQUEST_POINTS = 1_000
"""Points of a bulk request, where a tracker has such; MLflow takes no more."""
WAIT_SECONDS = 3_600.0


@dataclass(frozen=True)
class Sizes:
    """How much of each is done."""

    calls: int = 500
    steps: int = 500
    waited: int = 100
    """Calls and steps, each when the one before can be read."""
    requests: int = 100
    """Bulk requests, of REQUEST_POINTS each."""
    writers: int = 8
    writer_steps: int = 100
    runs: int = 5_000
    searches: int = 40


class Tracker(Protocol):
    """One server, by one client."""

    def start(self, name: str) -> str:
        """Start a run: its id."""
        ...

    def end(self, run: str) -> None:
        """End a run."""
        ...

    def log(self, run: str, metrics: dict[str, float], step: int) -> None:
        """Log as its users do by default."""
        ...

    def log_unwaited(self, run: str, metrics: dict[str, float], step: int) -> None:
        """Log without waiting for the server."""
        ...

    def log_bulk(self, run: str, key: str, values: Sequence[float]) -> None:
        """Log a whole series, a value a step."""
        ...

    def settle(self) -> None:
        """Wait until all that this client logged can be read."""
        ...

    def count(self, run: str, key: str) -> int:
        """How many points a series has."""
        ...

    def load(self, runs: int) -> None:
        """Log a fleet of runs and wait until all of it can be searched."""
        ...

    def search(self, where: str, order_by: str) -> int:
        """How many of the first ten runs are found; their params, metrics and tags come with them."""
        ...


Make = Callable[[str], Tracker]
"""A tracker's client for a target. A function of a module, so that other processes find it."""


def results(make: Make, target: str, sizes: Sizes) -> dict[str, float]:
    """All of it. Names that end in `rate` are a second, those in `p50` and `p95` are ms."""
    tracker = make(target)
    return {
        "call rate": _logged(tracker, tracker.log, {"loss": 0.5}, sizes.calls),
        "unwaited call rate": _logged(tracker, tracker.log_unwaited, {"loss": 0.5}, sizes.calls),
        **_waited("waited call", tracker, {"loss": 0.5}, sizes.waited),
        "step rate": _logged(tracker, tracker.log, step_row(), sizes.steps),
        "unwaited step rate": _logged(tracker, tracker.log_unwaited, step_row(), sizes.steps),
        **_waited("waited step", tracker, step_row(), sizes.waited),
        "bulk rate": _bulk(tracker, sizes.requests * REQUEST_POINTS),
        "writers rate": _writers(make, target, sizes),
        "load rate": _load(tracker, sizes.runs),
        **_searches(tracker, sizes.searches),
    }


def step_row() -> dict[str, float]:
    """A step of twenty metrics."""
    return {f"metric_{place}": 0.5 + place for place in range(METRICS)}


def _must_hold(tracker: Tracker, run: str, key: str, count: int) -> None:
    there = tracker.count(run, key)
    if there != count:
        raise AssertionError(f"{there} of {count} points of {key} are there")


def _logged(
    tracker: Tracker, log: Callable[[str, dict[str, float], int], None], row: dict[str, float], count: int
) -> float:
    run = tracker.start("logged")
    log(run, row, 0)
    tracker.settle()
    begun = time.perf_counter()
    for step in range(1, count + 1):
        log(run, row, step)
    tracker.settle()
    seconds = time.perf_counter() - begun
    _must_hold(tracker, run, next(iter(row)), count + 1)
    tracker.end(run)
    return count / seconds


def _waited(name: str, tracker: Tracker, row: dict[str, float], count: int) -> dict[str, float]:
    run = tracker.start(name)
    tracker.log(run, row, 0)
    tracker.settle()
    millis = []
    for step in range(1, count + 1):
        begun = time.perf_counter()
        tracker.log(run, row, step)
        tracker.settle()
        millis.append((time.perf_counter() - begun) * 1e3)
    _must_hold(tracker, run, next(iter(row)), count + 1)
    tracker.end(run)
    return _quantiles(name, millis)


def _bulk(tracker: Tracker, points: int) -> float:
    run = tracker.start("bulk")
    tracker.settle()
    values = [1 / (1 + step) for step in range(points)]
    begun = time.perf_counter()
    tracker.log_bulk(run, "loss", values)
    tracker.settle()
    seconds = time.perf_counter() - begun
    _must_hold(tracker, run, "loss", points)
    tracker.end(run)
    return points / seconds


def _writers(make: Make, target: str, sizes: Sizes) -> float:
    """Steps a second of all writers together; their processes have started before."""
    context = multiprocessing.get_context("spawn")
    barrier: Barrier = context.Barrier(sizes.writers + 1)
    started: Queue[str] = context.Queue()
    processes = [
        context.Process(target=_writer, args=(make, target, place, sizes.writer_steps, barrier, started), daemon=True)
        for place in range(sizes.writers)
    ]
    for process in processes:
        process.start()
    barrier.wait(WAIT_SECONDS)
    begun = time.perf_counter()
    barrier.wait(WAIT_SECONDS)
    seconds = time.perf_counter() - begun
    runs = [started.get() for _ in processes]
    for process in processes:
        process.join()
    tracker = make(target)
    for run in runs:
        for key in step_row():
            _must_hold(tracker, run, key, sizes.writer_steps + 1)
    return sizes.writers * sizes.writer_steps / seconds


def _writer(make: Make, target: str, place: int, steps: int, barrier: Barrier, started: Queue[str]) -> None:
    """One writer process."""
    try:
        tracker, row = make(target), step_row()
        run = tracker.start(f"writer {place}")
        tracker.log(run, row, 0)
        tracker.settle()
        started.put(run)
        barrier.wait(WAIT_SECONDS)
        for step in range(1, steps + 1):
            tracker.log(run, row, step)
        tracker.settle()
        barrier.wait(WAIT_SECONDS)
        tracker.end(run)
    except BaseException:
        # Nobody may wait for one that is gone.
        barrier.abort()
        raise


def _load(tracker: Tracker, runs: int) -> float:
    begun = time.perf_counter()
    tracker.load(runs)
    return runs / (time.perf_counter() - begun)


def _searches(tracker: Tracker, times: int) -> dict[str, float]:
    rng = random.Random(11)

    def two() -> int:
        return tracker.search(f"metrics.metric_3 > {rng.uniform(0.8, 0.95):.4f} AND params.model = 'gpt2'", "")

    def ordered() -> int:
        return tracker.search("", f"metrics.metric_{rng.randrange(METRICS)} ASC")

    found: dict[str, float] = {}
    for name, search in (("two conditions", two), ("order by", ordered)):
        millis = []
        for place in range(3 + times):
            begun = time.perf_counter()
            if not search():
                raise AssertionError(f"{name}: nothing found")
            if place >= 3:
                millis.append((time.perf_counter() - begun) * 1e3)
        found |= _quantiles(name, millis)
    return found


def _quantiles(name: str, millis: list[float]) -> dict[str, float]:
    ordered = sorted(millis)
    return {f"{name} {label}": ordered[int(share * len(ordered))] for label, share in (("p50", 0.5), ("p95", 0.95))}
