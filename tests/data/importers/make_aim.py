"""Makes a repository of Aim by the real library: python make_aim.py FOLDER. Needs aim; `points` says what is in it."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

STEPS = 300
Point = tuple[str, str, int, float]


def points() -> list[Point]:
    """Run, key here, step and value of each point."""
    found = [("one", "train/loss", step, math.sin(step)) for step in range(STEPS)]
    found += [("one", "acc", step, 0.1 * step) for step in range(STEPS)]
    found += [("one", "odd", 3, math.nan), ("one", "odd", 4, math.inf)]
    return [*found, ("archived", "fold=2/subset=val/loss", 7, 0.5)]


def main(folder: str) -> None:
    """Make one, with its index."""
    import numpy as np

    # It is not there to check types by.
    aim: Any = importlib.import_module("aim")
    repository = aim.Repo(folder, init=True)
    quiet = {"repo": repository, "system_tracking_interval": None, "capture_terminal_logs": False}
    run = aim.Run(experiment="first", **quiet)
    run.name, run.description = "one", "notes"
    run["hparams"] = {"lr": 0.1, "opt": {"name": "adam", "betas": [0.9, 0.99]}}
    run.add_tag("tagged")
    archived = aim.Run(experiment="second", **quiet)
    archived.name, archived.archived = "archived", True
    for name, key, step, value in points():
        *context, metric = key.split("/")
        told = dict(one.split("=", 1) if "=" in one else ["subset", one] for one in context)
        (run if name == "one" else archived).track(value, name=metric, step=step, context=told)
    run.track(aim.Text("words"), name="words", step=1)
    run.track(aim.Image(np.zeros((4, 4, 3), np.uint8)), name="picture", step=1)
    run.close()
    archived.close()
    program = Path(sys.executable).with_name("aim")
    subprocess.run([program, "storage", "--repo", folder, "reindex"], input=b"y\n", check=True, capture_output=True)


if __name__ == "__main__":
    main(sys.argv[1])
