"""What it takes: time to be ready, bytes a point in the warehouse, the client's size on disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import fleetlog
import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.port import Statement

from benchmarks.figure import Figure, quantile
from benchmarks.server import running

ROOT = Path(__file__).resolve().parents[1]


def measure() -> list[Figure]:
    """All of them."""
    ready = []
    for _ in range(3):
        with running() as server:
            ready.append(server.ready_seconds)
    return [
        Figure("fleetlog up, ready", quantile(ready, 0.5), "s", 3, True, "p50 of 3, empty data directory"),
        bytes_a_point(),
        client_size(),
    ]


def bytes_a_point(runs: int = 50, steps: int = 10_000) -> Figure:
    """Points on disk after merging: 20 metrics a run of the kinds that training logs."""
    rng = np.random.default_rng(7)
    axis = np.arange(steps, dtype=np.int64)
    with running(keep=True) as server:
        client = fleetlog.Client(server.target)
        client.create_experiment("mix", exist_ok=True)
        for _ in range(runs):
            run = fleetlog.start_run(experiment="mix", target=server.target)
            decay = 3 * np.exp(-axis / steps)
            for place in range(20):
                run.log_series(f"metric_{place:02}", steps=axis, values=mixed(place, decay, rng))
            # Wait: ten million points at once are more than the client holds.
            run.finish()
        client.flush(timeout=300, level="applied")
    warehouse = ChdbWarehouse(server.data / "warehouse")
    warehouse.execute(Statement("OPTIMIZE TABLE points FINAL"))
    parts = warehouse.select(
        Statement(
            "SELECT sum(data_compressed_bytes) AS size, sum(rows) AS n FROM system.parts"
            " WHERE active AND table = 'points' AND database = currentDatabase()"
        )
    )
    warehouse.close()
    shutil.rmtree(server.data)
    size, rows = int(parts.array("size")[0]), int(parts.array("n")[0])
    detail = f"{rows:,} points: 8 float32 losses, 2 averages, 2 ratios, 2 schedules, 2 counters, 4 quantised"
    return Figure("bytes a point, merged", size / rows, "B", 4.2, True, detail)


def mixed(place: int, decay: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """One metric of the mix, by its place among the twenty."""
    count = len(decay)
    noisy = decay + rng.normal(0, 0.05, count)
    axis = np.arange(count)
    if place < 8:
        return noisy.astype(np.float32).astype(np.float64)
    if place < 10:
        return np.cumsum(noisy) / (axis + 1)
    if place < 12:
        return np.round(rng.random(count) * 512) / 512
    if place < 14:
        return 1e-3 * np.minimum(1.0, axis / 500)
    if place < 16:
        return axis.astype(np.float64) * 512
    return np.round(rng.normal(70, 3, count))


def client_size() -> Figure:
    """Installed size of the light client in an environment of its own, without pip."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "site"
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
             "--target", target, ROOT],
            check=True,
        )  # fmt: skip
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Figure("client install", size / 1e6, "MB", 40, True, f"pip install {fleetlog.__name__}, no extras")
