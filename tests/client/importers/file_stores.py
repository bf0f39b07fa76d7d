"""Folders mlruns, made by hand as MLflow makes them: many points in no time."""

from __future__ import annotations

import hashlib
from pathlib import Path

NOW = 1_700_000_000_000


def make_experiment(root: Path, number: str, name: str) -> Path:
    """An experiment's folder."""
    folder = root / number
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(f"artifact_location: ''\nexperiment_id: '{number}'\nname: {name!r}\n")
    return folder


def make_run(experiment: Path, run_id: str, metrics: dict[str, str], status: int = 3, **said: str) -> Path:
    """A run's folder, with the lines of its metrics."""
    folder = experiment / run_id
    (folder / "tags").mkdir(parents=True)
    (folder / "params").mkdir()
    fields = {
        "artifact_uri": "''", "end_time": str(NOW + 60_000), "lifecycle_stage": "active", "run_id": run_id,
        "run_name": f"run {run_id[:4]}", "start_time": str(NOW), "status": str(status), "tags": "[]", "user_id": "root",
        **said,
    }  # fmt: skip
    (folder / "meta.yaml").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
    (folder / "params" / "lr").write_text("0.001")
    for key, lines in metrics.items():
        path = folder / "metrics" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines)
    return folder


def lines(count: int, first: int = 0) -> str:
    """Lines of points."""
    return "".join(f"{NOW + step} {0.1 * step!r} {step}\n" for step in range(first, first + count))


def run_ids(experiment: str, count: int) -> list[str]:
    """Ids that no other test has: ids here are made of them."""
    return [hashlib.blake2b(f"{experiment}/{place}".encode(), digest_size=16).hexdigest() for place in range(count)]
