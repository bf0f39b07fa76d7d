"""`make demo`: start fleetlog, load the speedrun's real runs, search them, pick the fastest, draw it.

    python examples/nanogpt_speedrun/demo.py [--data .demo]

Run it again and it finds the runs that are there. Afterwards `fleetlog up --data .demo` serves the same data.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fleetlog
from load import ARCHIVE, load, sources, unpacked
from rich.console import Console
from rich.table import Table

EXPERIMENT = "speedrun"
TARGET_LOSS = 3.28
FLEETLOG = Path(sys.executable).parent / "fleetlog"


@contextmanager
def server(data: Path, console: Console) -> Iterator[str]:
    """`fleetlog up` on a free port; yields its target. Stopped, with everything durable, at the end."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [FLEETLOG, "up", "--data", data, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"demo: fleetlog did not start (exit code {process.wait()})")
        target = str(json.loads(line)["target"])
        console.print(f"fleetlog is up on {target} after {time.monotonic() - begun:.1f} s; data in {data}")
        yield target
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def counted(archive: Path) -> int:
    """Values in the log lines by a count of its own: every `name:` before a digit, a dot, nan or inf, but the step."""
    value = re.compile(rb"[^\s:]+:\s*[+-]?(?:\d|\.\d|nan|inf)", re.IGNORECASE)
    total = 0
    with tempfile.TemporaryDirectory() as scratch:
        for source in sources(unpacked(archive, Path(scratch))):
            data = source.path.read_bytes()
            total += len(value.findall(data)) - len(data.splitlines())
    return total


def show_search(client: fleetlog.Client, console: Console) -> None:
    """A search with two conditions, and its time."""
    text = f"metrics.val_loss <= {TARGET_LOSS} AND params.num_iterations < 2000"
    begun = time.perf_counter()
    runs = client.search_runs(text, experiments=[EXPERIMENT], order_by=["metrics.train_time ASC"], limit=5)
    millis = (time.perf_counter() - begun) * 1e3
    table = Table("record", "run", "val_loss", "train_time", "num_iterations", title=f"{text}  ({millis:.1f} ms)")
    for run in runs:
        table.add_row(
            run.tags.get("record", ""),
            run.name,
            f"{run.metrics['val_loss']:.4f}",
            f"{run.metrics['train_time'] / 1e3:.1f} s",
            str(run.params["num_iterations"]),
        )
    console.print(table)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".demo"))
    options = parser.parse_args()
    console = Console(soft_wrap=True)
    with server(options.data, console) as target:
        client = fleetlog.Client(target)
        console.print(f"loading {ARCHIVE.name}: the logs of every record of the GPT-2 speedrun")
        report = load(ARCHIVE, EXPERIMENT, target, console)
        if report.points:
            rate = report.points / report.seconds
            console.print(
                f"loaded {report.runs:,} runs, {report.lines:,} lines, {report.points:,} points"
                f" in {report.seconds:.1f} s: {rate:,.0f} points/s read, sent, durable and searchable"
            )
        runs = client.search_runs(experiments=[EXPERIMENT], read_mask=["metrics"], summaries=True, limit=None)
        points = sum(run.summary(key).count for run in runs for key in run.metrics)
        expected = counted(ARCHIVE)
        console.print(f"in fleetlog: {len(runs):,} runs, {points:,} points; values in the log lines: {expected:,}")
        show_search(client, console)
        best = client.best_run(EXPERIMENT, minimize="metrics.train_time", filter=f"metrics.val_loss <= {TARGET_LOSS}")
        if best is None:
            raise SystemExit("demo: no run reached the loss")
        console.print(
            f"the fastest run that reached val_loss ≤ {TARGET_LOSS}: {best.tags.get('record', '')} / {best.name},"
            f" {best.metrics['train_time'] / 1e3:.1f} s, val_loss {best.metrics['val_loss']:.4f}"
        )
        subprocess.run([FLEETLOG, "metrics", "show", best.id, "val_loss", "--target", target], check=True)
        number = client.get_experiment(EXPERIMENT).id
        console.print(f"look around: {FLEETLOG} up --data {options.data} --open")
        console.print(f"and all {len(runs):,} runs are at http://localhost:7461/n/default/e/{number}/runs")
    if points != expected:
        print(f"demo: {points:,} points, and the lines hold {expected:,}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
