"""fleetlog over Kafka, a ClickHouse server and S3, all on this machine; its searches beside the embedded engine's.

    python -m benchmarks cluster                              FLEETLOG_TEST_KAFKA, _CLICKHOUSE, _S3 name the servers
    FLEETLOG_BENCH_RUNS=20000 python -m benchmarks cluster    a smaller fleet to search; FLEETLOG_BENCH_POINTS in bulk

One process is gateway and query service, another the materializer, as clients and `fleetlog serve` expect it.
"""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import fleetlog

from benchmarks.engines import own_engines
from benchmarks.figure import Figure, number, quantile
from benchmarks.fleet import TIMES, Fleet, waited
from benchmarks.searches import load
from benchmarks.server import Server, running, serving
from benchmarks.trickle import lone_write
from benchmarks.writes import bulk

RUNS = int(os.environ.get("FLEETLOG_BENCH_RUNS", "100000"))
POINTS = int(os.environ.get("FLEETLOG_BENCH_POINTS", "5000000"))
READY_SECONDS = 60.0


def measure(runs: int = RUNS, points: int = POINTS) -> Iterator[Figure]:
    """Writes on an empty cluster, then the searches on a fleet in both."""
    with cluster() as server:
        yield from bulk(server, points, mark=300_000)
        yield lone_write(server, mark=100)
    with cluster() as server, running() as embedded:
        for here, there in zip(
            load(fleetlog.Client(server.target), runs), load(fleetlog.Client(embedded.target), runs), strict=True
        ):
            yield Figure(
                here.name, here.value, "runs/s",
                detail=f"{runs:,} runs; embedded {there.value:,.0f} runs/s, {here.value / there.value:.2f}×",
            )  # fmt: skip
        fleets = [Fleet(one, fleetlog.Client(one.target), runs) for one in (server, embedded)]
        yield from side_by_side(fleets, runs)
        # Not in turn: each would have the other's writes on its cores.
        for here, there in zip(*[list(fleet.under_load()) for fleet in fleets], strict=True):
            ratio = f"embedded {number(there.value)} {there.unit}, {here.value / there.value:.2f}×"
            yield Figure(here.name, here.value, here.unit, detail=f"{ratio}; {here.detail}")


@contextmanager
def cluster() -> Iterator[Server]:
    """The two processes over engines of their own, when both are ready; clients go to the one that is yielded."""
    with (
        own_engines() as environment,
        serving("serve", "materializer", environment=environment) as folding,
        serving("serve", "gateway", "query", environment=environment) as server,
    ):
        for one in (folding, server):
            until_ready(one)
        yield server


def side_by_side(fleets: Sequence[Fleet], runs: int) -> Iterator[Figure]:
    """Each search in turn here and there, the same questions, so that what else the machine does weighs on both."""
    for (name, here, _), (_, there, _) in zip(*(fleet.searches() for fleet in fleets), strict=True):
        for _ in range(3):
            here()
            there()
        before = [fleet.read()[0] for fleet in fleets]
        millis: list[tuple[float, float]] = []
        for place in range(TIMES):
            if place % 2:
                second, first = waited(name, there), waited(name, here)
            else:
                first, second = waited(name, here), waited(name, there)
            millis.append((first, second))
        rows = [(fleet.read()[0] - then) / TIMES for fleet, then in zip(fleets, before, strict=True)]
        p50, p95 = ([quantile(column, share) for column in zip(*millis, strict=True)] for share in (0.5, 0.95))
        detail = (
            f"{runs:,} runs; p50 {p50[0]:.1f} ms, embedded {p50[1]:.1f}; p95 {p95[0]:.1f} ms, embedded {p95[1]:.1f};"
            f" {rows[0]:,.0f} rows read, embedded {rows[1]:,.0f}"
        )
        yield Figure(f"{name}: times the embedded engine's p50", p50[0] / p50[1], "×", detail=detail)


def until_ready(server: Server) -> None:
    """Until it says that it can do its job. TimeoutError."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{server.metrics}/readyz", timeout=10):
                return
        except urllib.error.HTTPError as error:
            error.close()
        time.sleep(0.05)
    raise TimeoutError(f"a server is not ready after {READY_SECONDS:.0f} s; its diagnostics tell why")
