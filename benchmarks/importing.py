"""Histories of other trackers, from the source to what can be read, with the server beside the import."""

from __future__ import annotations

import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from fleetlog.exporters.event_records import scalar_records, version_record
from fleetlog.importers.protobuf_bytes import field, varint
from fleetlog.importers.wandb import transaction_log

from benchmarks.figure import Figure
from benchmarks.server import running

NOW = 1_700_000_000_000
_SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, lifecycle_stage TEXT);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
    lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT, PRIMARY KEY (key, run_uuid));
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT, PRIMARY KEY (key, run_uuid));
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN,
    PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE INDEX index_params_run_uuid ON params (run_uuid);
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
INSERT INTO experiments VALUES (1, 'bench', 'active');
"""
"""Tables of MLflow's schema that runs are read from, with its keys and indexes."""
_IMPORT = """
import resource, sys
import fleetlog
from fleetlog.importers import import_from

def seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

client, before = fleetlog.Client(sys.argv[1]), seconds()
report = import_from(sys.argv[3], sys.argv[2], client=client)
assert report.is_complete, report.faults
print(report.runs, report.points, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, seconds() - before)
"""
_READ = """
import sys, time
from fleetlog.importers import open_source

before = time.process_time()
for run in open_source(sys.argv[2], sys.argv[1]).runs():
    for piece in run.points():
        pass
print(time.process_time() - before)
"""


def measure() -> list[Figure]:
    """All sources that are made here."""
    return [
        points("MLflow, mlruns", _mlruns, 200_000),
        points("MLflow, SQLite", _sqlite, 500_000),
        points("TensorBoard", _tensorboard, 400_000, "tensorboard"),
        points("W&B, offline", _wandb, 200_000, "wandb"),
        small_runs(),
    ]


def points(name: str, make: Callable[[Path, int, int, int], Path], mark: float, kind: str = "mlflow") -> Figure:
    """Points a second of ten runs of twenty metrics, until all can be read."""
    found = _imported(lambda folder: make(folder, 10, 20, 10_000), kind)
    note = f"{found.points:,} points of {found.runs} runs; {found.cpu(found.points / 1e6, 'million points')}"
    return Figure(name, found.points / found.seconds, "points/s", mark, False, note)


def small_runs() -> Figure:
    """Runs a second of 45 values, one point a metric, until all can be read."""
    found = _imported(lambda folder: _sqlite(folder, 10_000, 20, 1))
    note = f"{found.runs:,} runs; {found.cpu(found.runs / 1e3, 'thousand runs')}"
    return Figure("MLflow, SQLite, runs of 45 values", found.runs / found.seconds, "runs/s", 3_000, False, note)


@dataclass(frozen=True, slots=True)
class Imported:
    """An import by a process of its own. CPU seconds are the kernel's, without the starts of the processes."""

    seconds: float
    """From the start of the process until all can be read."""
    runs: int
    points: int
    memory_mb: int
    reader: float
    """CPU seconds of reading the source once, alone."""
    writer: float
    """CPU seconds of the importing process beside that."""
    server: float

    def cpu(self, count: float, of: str) -> str:
        """CPU seconds by part, and memory, in words."""
        parts = ", ".join(f"{part} {getattr(self, part) / count:.2f}" for part in ("reader", "writer", "server"))
        return f"CPU seconds a {of}: {parts}; {self.memory_mb} MB"


def _imported(make: Callable[[Path], Path], kind: str = "mlflow") -> Imported:
    with tempfile.TemporaryDirectory(prefix="fleetlog-bench-") as folder, running() as server:
        source, process = make(Path(folder)), psutil.Process(server.pid)
        reader = float(_said(_READ, str(source), kind)[0])
        begun, before = time.monotonic(), sum(process.cpu_times()[:2])
        runs, count, memory, client = _said(_IMPORT, server.target, str(source), kind)
        seconds, server_seconds = time.monotonic() - begun, sum(process.cpu_times()[:2]) - before
    return Imported(seconds, int(runs), int(count), int(memory), reader, float(client) - reader, server_seconds)


def _said(program: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def _mlruns(folder: Path, runs: int, metrics: int, steps: int) -> Path:
    store = folder / "mlruns" / "1"
    store.mkdir(parents=True)
    (store / "meta.yaml").write_text("experiment_id: '1'\nname: bench\n")
    values = np.random.default_rng(7).normal(size=steps).tolist()
    text = "".join(f"{NOW + 10 * step} {value!r} {step}\n" for step, value in enumerate(values))
    for run in range(runs):
        place = store / f"{run:032x}"
        (place / "metrics").mkdir(parents=True)
        (place / "meta.yaml").write_text(
            f"artifact_uri: ''\nend_time: {NOW + 10**6}\nrun_id: {place.name}\nstart_time: {NOW + run}\nstatus: 3\n"
        )
        for metric in range(metrics):
            (place / "metrics" / f"metric_{metric:02}").write_text(text)
    return store.parent


def _sqlite(folder: Path, runs: int, metrics: int, steps: int) -> Path:
    """As MLflow writes it: step by step, all metrics of one together."""
    path = folder / "mlflow.db"
    values = np.random.default_rng(7).normal(size=steps).tolist()
    with sqlite3.connect(path) as database:
        database.executescript(_SCHEMA)
        for run in range(runs):
            name = f"{run:032x}"
            said = (name, f"run {run}", "root", "FINISHED", NOW + run, NOW + 10**6, "active", "", 1)
            database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", said)
            params = [(f"param_{key:02}", f"{run % (key + 2)}", name) for key in range(20)]
            database.executemany("INSERT INTO params VALUES (?, ?, ?)", params)
            tags = [(f"tag_{key}", f"{run % (key + 2)}", name) for key in range(5)]
            database.executemany("INSERT INTO tags VALUES (?, ?, ?)", tags)
            rows = (
                (f"metric_{metric:02}", value + metric, NOW + 10 * step, name, step, 0)
                for step, value in enumerate(values)
                for metric in range(metrics)
            )
            database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    return path


def _tensorboard(folder: Path, runs: int, metrics: int, steps: int) -> Path:
    """Scalars of the first version of the format; tags take turns every hundred steps."""
    values = np.random.default_rng(7).normal(size=steps)
    at, times = np.arange(steps), NOW + 10 * np.arange(steps)
    for run in range(runs):
        place = folder / "runs" / f"run_{run:02}"
        place.mkdir(parents=True)
        with (place / f"events.out.tfevents.{NOW // 1000 + run}.bench").open("wb") as file:
            file.write(version_record(NOW / 1000))
            for first in range(0, steps, 100):
                some = slice(first, first + 100)
                for metric in range(metrics):
                    tag = f"train/metric_{metric:02}"
                    file.writelines(scalar_records(tag, at[some], times[some], values[some] + metric))
    return folder / "runs"


def _wandb(folder: Path, runs: int, metrics: int, steps: int) -> Path:
    """As W&B writes it: a record of the summary and one of the history for each step."""
    values = np.random.default_rng(7).normal(size=steps).tolist()
    heads = [_item(f"train/metric_{metric:02}") for metric in range(metrics)]
    own = [_item(name) for name in ("_step", "_timestamp", "_runtime")]
    for run in range(runs):
        place = folder / "wandb" / f"offline-run-{run}"
        place.mkdir(parents=True)
        file = bytearray(transaction_log.HEADER + bytes([0]))
        started = field(1, f"run{run}".encode()) + field(3, b"bench") + field(17, b"\x08" + varint(NOW // 1000))
        _append(file, field(17, started))
        for step, value in enumerate(values):
            numbers = [
                *(repr(value + metric) for metric in range(metrics)),
                str(step),
                repr(NOW / 1000 + step),
                str(step),
            ]
            items = b"".join(
                field(1, head + b"\x82\x01" + varint(len(text)) + text.encode())
                for head, text in zip([*heads, *own], numbers, strict=True)
            )
            _append(file, field(3, items))
            _append(file, field(2, items + field(2, b"\x08" + varint(step))))
        _append(file, field(18, b"\x10\x01"))
        (place / f"run-run{run}.wandb").write_bytes(file)
    return folder / "wandb"


def _append(file: bytearray, content: bytes) -> None:
    """Append a record to W&B's log, in pieces of which none crosses a block."""
    is_first = True
    while True:
        room = transaction_log.BLOCK_BYTES - len(file) % transaction_log.BLOCK_BYTES
        if room < 7:
            file += bytes(room)
            continue
        piece, content = content[: room - 7], content[room - 7 :]
        kind = (1 if is_first else 4) if not content else (2 if is_first else 3)
        file += struct.pack("<IHB", zlib.crc32(piece, zlib.crc32(bytes([kind]))), len(piece), kind) + piece
        if not content:
            return
        is_first = False


def _item(key: str) -> bytes:
    return field(2, key.encode())
