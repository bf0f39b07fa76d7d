"""A fleet of training processes at a steady pace, each with a connection and a stream, and searches beside them.

The load is `fleetlog loadtest` of fleet.toml, a process of its own on the same cores. All that was acknowledged is read
back: a fleet that lost something has no numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fleetlog.loadtest.profile import Profile, changed, parse

from benchmarks.figure import Figure
from benchmarks.loads import Measured, run_load
from benchmarks.server import running

PROFILE = Path(__file__).parent / "fleet.toml"
FLEETS = (1_000, 10_000)


def measure() -> Iterator[Figure]:
    """Each fleet on a server of its own. FLEETLOG_BENCH_WORKERS: one fleet of so many instead."""
    chosen = os.environ.get("FLEETLOG_BENCH_WORKERS")
    for workers in (int(chosen),) if chosen else FLEETS:
        profile = changed(parse(PROFILE.read_text()), {"workers": workers})
        with running() as server:
            yield from figures(profile, run_load(server.target, profile, {"server": server.pid}))


def figures(profile: Profile, found: Measured) -> Iterator[Figure]:
    """What a load says."""
    fleet, report = f"{profile.workers:,} streams", found.report
    told = "it kept up:" if found.kept_up else "it did not keep up:"
    for name, process in found.processes.items():
        micros = 1e6 * process.cpu / found.points_per_second
        yield Figure(
            f"{fleet}, CPU of the {name}", 100 * process.cpu, "% of a core",
            detail=f"{told} {found.points_per_second:,.0f} points/s of {profile.runs:,} runs, {micros:.1f} µs a point,"
            " with what the searches and reads take",
        )  # fmt: skip
        grown = process.memory - process.before
        yield Figure(
            f"{fleet}, memory of the {name}", process.memory / 1e6, "MB",
            detail=f"{process.before / 1e6:,.0f} MB before; {grown / profile.workers / 1e3:,.1f} kB a stream",
        )  # fmt: skip
    named = {
        "a step acknowledged, from when it was due": report["acknowledged"],
        "a point readable, from its acknowledgement": report["readable"],
        **{f"search: {name}": one["took"] for name, one in report["searches"].items()},
    }
    for name, took in named.items():
        detail = f"p50 {took['p50_ms']:,.1f} ms, p99 {took['p99_ms']:,.1f} ms; {took['count']:,} times"
        yield Figure(f"{fleet}, {name}, p95", took["p95_ms"], "ms", detail=detail)
    findings = report["findings"]
    yield Figure(
        f"{fleet}, points lost, twice or wrong", findings["lost"] + findings["twice"] + findings["wrong"], "points",
        0, True,
        f"of {findings['compared']:,} that were acknowledged; {report['late_points']:,} late; at most"
        f" {report['max_lag_records']:,} records behind; {report['broken_streams']:,} streams broke; the load itself:"
        f" {report['client_cpu_seconds']:.0f} s of CPU, {report['client_memory_bytes'] / 1e6:,.0f} MB, p95"
        f" {report['behind_schedule']['p95_ms']:,.0f} ms behind its schedule"
        + "".join(f"; {count:,} × {text:.80}" for text, count in list(report["problems"].items())[:3]),
    )  # fmt: skip
