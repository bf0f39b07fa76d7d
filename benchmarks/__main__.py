"""Runs benchmarks and prints the table of the README.

python -m benchmarks                all that need nothing else: twenty minutes
python -m benchmarks writes         those of one module: searches, small, trickle, registry, journal, http, …
python -m benchmarks cluster        over Kafka, ClickHouse and S3 servers
python -m benchmarks stages         what a frame and a point cost each process there
python -m benchmarks against_mlflow beside MLflow, which is installed for it
python -m benchmarks mlflow_store   MLflow's client and pages on fleetlog: needs mlflow-skinny
python -m benchmarks importing      histories of other trackers
python -m benchmarks attacks        rude clients, and what others feel of them
python -m benchmarks streams        10,000 training processes at a steady pace, and searches: ten minutes
python -m benchmarks ui             pages of the web UI over 100,000 runs: needs Chromium
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

MODULES = (
    "writes", "searches", "small", "trickle", "registry", "journal", "heartbeats", "http", "callers", "footprint",
    "fleet",
)  # fmt: skip
NAMED = ("importing", "streams", "cluster", "stages", "against_mlflow", "mlflow_store", "attacks", "ui")
"""These need servers or another program, and run when they are named."""


def main(names: list[str]) -> int:
    """The command. The exit code says nothing about the numbers."""
    unknown = [name for name in names if name not in MODULES + NAMED]
    if unknown:
        print(f"benchmarks: no {unknown[0]}; there are {', '.join(MODULES + NAMED)}", file=sys.stderr)
        return 2
    # A run is what a benchmark logs, and nothing beside it; unless whoever measures wants just that.
    os.environ.setdefault("FLEETLOG_CAPTURE", "0")
    print("| what | measured | mark | met | |\n|---|---|---|---|---|")
    for name in names or MODULES:
        for figure in import_module(f"benchmarks.{name}").measure():
            print(figure.row(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
