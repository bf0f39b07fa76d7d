"""Servers for one benchmark: `fleetlog` commands as processes on free ports, stopped at the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    """A process that serves: where it answers, and where it tells its numbers."""

    target: str
    metrics: str
    """host:port of its numbers."""
    pid: int
    web: str
    """URL of its HTTP port; "" = none."""


@dataclass(frozen=True)
class Embedded(Server):
    """All of fleetlog in one process: where its data is, and how long it took to be ready."""

    data: Path
    ready_seconds: float


@contextmanager
def serving(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A `fleetlog` command that serves, with nobody's settings but these; told to stop at the end, and waited for."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("FLEETLOG_")}
    process = subprocess.Popen(
        [Path(sys.executable).parent / "fleetlog", *arguments, "--port", "0", "--metrics-port", "0", "--json"],
        stdout=subprocess.PIPE, text=True, env={**own, **(environment or {})},
    )  # fmt: skip
    try:
        if process.stdout is None:
            raise RuntimeError("no pipe to the server")
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: exit code {process.wait()}")
        told = json.loads(line)
        yield Server(told["target"], told["metrics"], process.pid, told.get("web", ""))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@contextmanager
def running(*options: str, keep: bool = False, data: Path | None = None) -> Iterator[Embedded]:
    """Start `fleetlog up` with options more; stop it with everything durable.

    Its data is in a fresh folder, which is removed; `keep` leaves it to the caller; `data` is kept anyway.
    """
    keep = keep or data is not None
    data = data or Path(tempfile.mkdtemp(prefix="fleetlog-bench-"))
    try:
        begun = time.monotonic()
        with serving("up", "--data", data, *options) as server:
            yield Embedded(server.target, server.metrics, server.pid, server.web, data, time.monotonic() - begun)
    finally:
        if not keep:
            shutil.rmtree(data, ignore_errors=True)
