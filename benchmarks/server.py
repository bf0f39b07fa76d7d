"""A server for one benchmark: `fleetlog up` on a fresh folder and a free port, stopped at the end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, where its data is, how long it took to be ready."""

    target: str
    data: Path
    ready_seconds: float
    pid: int
    metrics: str
    """host:port of its numbers."""


@contextmanager
def running(*, keep: bool = False, data: Path | None = None) -> Iterator[Server]:
    """Start one; stop it with everything durable. `keep` leaves its data to the caller; `data` is kept anyway."""
    keep = keep or data is not None
    data = data or Path(tempfile.mkdtemp(prefix="fleetlog-bench-"))
    try:
        begun = time.monotonic()
        process = subprocess.Popen(
            [
                Path(sys.executable).parent / "fleetlog",
                "up",
                "--data",
                data,
                "--port",
                "0",
                "--json",
                "--metrics-port",
                "0",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            if process.stdout is None:
                raise RuntimeError("no pipe to the server")
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server did not start: exit code {process.wait()}")
            told = json.loads(line)
            yield Server(told["target"], data, time.monotonic() - begun, process.pid, told["metrics"])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)
    finally:
        if not keep:
            shutil.rmtree(data, ignore_errors=True)
