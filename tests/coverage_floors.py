"""Lines and branches that the tests of every day reach, by package: none may fall below its floor.

python -m tests.coverage_floors build/coverage.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

FLOORS: Mapping[str, int] = {
    "fleetlog": 58,
    "fleetlog_core": 55,
    "fleetlog_ingest": 57,
    "fleetlog_query": 55,
    "fleetlog_deploy": 34,
}
"""Percent: two less than the unit tests alone reach, by `pytest -m unit --cov`. Other processes are not counted."""


def percents(report: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]) -> dict[str, float]:
    """By package, from the JSON report of coverage.py."""
    reached: dict[str, int] = dict.fromkeys(FLOORS, 0)
    there: dict[str, int] = dict.fromkeys(FLOORS, 0)
    for path, file in report["files"].items():
        package = next((name for name in FLOORS if name in Path(path).parts), "")
        if package:
            summary = file["summary"]
            reached[package] += summary["covered_lines"] + summary.get("covered_branches", 0)
            there[package] += summary["num_statements"] + summary.get("num_branches", 0)
    return {name: 100 * reached[name] / there[name] if there[name] else 0.0 for name in FLOORS}


def main(path: str) -> int:
    """Print each package; 1 when one is below its floor."""
    found = percents(json.loads(Path(path).read_text(encoding="utf-8")))
    for name, percent in found.items():
        print(f"{name:16} {percent:5.1f} %  floor {FLOORS[name]} %{'' if percent >= FLOORS[name] else '  TOO LOW'}")
    return int(any(percent < FLOORS[name] for name, percent in found.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
