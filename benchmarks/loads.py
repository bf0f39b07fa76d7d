"""A load of `fleetlog loadtest` on servers, and the CPU and memory of their processes while all of its workers log."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from fleetlog.loadtest.profile import Profile
from fleetlog.loadtest.profile_text import as_toml
from fleetlog.loadtest.schedule import end_of

PREPARE_SECONDS = 12.0
"""Between the command's start and the load's begin: it makes its workers meanwhile."""
SETTLE_SECONDS = 10.0
"""Seconds that are left out at the beginning of the time in which all log."""
LOOK_SECONDS = 1.0
KEPT_UP_SECONDS = 5.0
"""Longest time from the load's end until its last answer of one that kept up."""


@dataclass(frozen=True)
class Process:
    """A server's process while all workers logged."""

    cpu: float
    """CPU seconds a second."""
    memory: int
    """Most resident memory, bytes."""
    before: int
    """Resident memory before the load, bytes."""


@dataclass(frozen=True)
class Measured:
    """A load that is over, and whole."""

    report: Mapping[str, Any]
    processes: Mapping[str, Process]
    """By the names that were given."""
    points_per_second: float
    """Points that were acknowledged in a second: as the profile says where the load kept up, else over all its time."""
    kept_up: bool
    """True if the last answer came with the last steps."""


def run_load(target: str, profile: Profile, pids: Mapping[str, int]) -> Measured:
    """Put the load on. RuntimeError: it lost something, or did not run."""
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    before = {name: process.memory_info().rss for name, process in processes.items()}
    begins = float(int(time.time() + PREPARE_SECONDS))
    all_log = begins + profile.ramp_seconds
    looks: list[tuple[float, dict[str, tuple[float, int]]]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            looks.append((time.time(), {name: _look(process) for name, process in processes.items()}))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        report = _report(target, profile, begins)
    finally:
        ended.set()
        watching.join()
    if not report["is_whole"]:
        raise RuntimeError(f"the load is not whole: {report['findings']}, {report['problems']}")
    steady = [one for one in looks if all_log + SETTLE_SECONDS <= one[0] <= all_log + profile.seconds]
    (first, was), (last, now) = steady[0], steady[-1]
    kept_up = report["seconds"] < end_of(profile) + KEPT_UP_SECONDS
    return Measured(
        report,
        {
            name: Process(
                (now[name][0] - was[name][0]) / (last - first), max(one[name][1] for _, one in steady), before[name]
            )
            for name in processes
        },
        profile.points_per_second if kept_up else report["durable_points"] / report["seconds"],
        kept_up,
    )


def _look(process: psutil.Process) -> tuple[float, int]:
    times = process.cpu_times()
    return float(times.user + times.system), int(process.memory_info().rss)


def _report(target: str, profile: Profile, begins: float) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begins))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "load.toml"
        path.write_text(as_toml(profile), encoding="utf-8")
        command: list[str | Path] = [Path(sys.executable).parent / "fleetlog", "loadtest", path]
        command += ["--at", moment, "--target", target, "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"the load did not run: exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
