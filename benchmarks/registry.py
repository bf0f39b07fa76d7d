"""What a decision on the control partition takes, alone: a version of a model with its alias, its outcome in hand.

CPU is the server's own, of its process: what else the machine does weighs less on it than on the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import fleetlog
import psutil

from benchmarks.figure import Figure, quantile
from benchmarks.server import running

DECISIONS = 40
BEFORE = 5
"""Decisions that are not measured: tables and sessions are made with the first ones."""
IDLE_SECONDS = 0.6
"""Between decisions: longer than a materializer rests after a batch that somebody waited for."""


def measure() -> Iterator[Figure]:
    """On a server of its own."""
    with running() as server:
        client, process = fleetlog.Client(server.target), psutil.Process(server.pid)
        for _ in range(BEFORE):
            client.register_model("m", source="s3://bucket/m", aliases="champion")
        millis, seconds = [], 0.0
        for number in range(DECISIONS):
            time.sleep(IDLE_SECONDS)
            begun, before = time.perf_counter(), _cpu(process)
            made = client.register_model("m", source="s3://bucket/m", aliases="champion")
            millis.append((time.perf_counter() - begun) * 1e3)
            seconds += _cpu(process) - before
            if made.version != BEFORE + number + 1:
                raise AssertionError(f"version {made.version} is not the next one")
    detail = f"{DECISIONS} decisions; p95 {quantile(millis, 0.95):.0f} ms"
    yield Figure("a version with its alias, outcome in hand, p50", quantile(millis, 0.5), "ms", 60, True, detail)
    spent = seconds * 1e3 / DECISIONS
    yield Figure("server's CPU until then", spent, "ms", None, True, "")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
