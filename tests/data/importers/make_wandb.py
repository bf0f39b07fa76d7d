"""Makes the offline folders below wandb/, which the readers' tests read: one for each version of the library.

pip install wandb==0.19.11 && python tests/data/importers/make_wandb.py        (and 0.26.0)
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "wandb"
STEPS = 120
CONFIG: dict[str, Any] = {"lr": 0.1, "optimizer": {"name": "adam", "betas": [0.9, 0.99]}, "none": None, "flag": True}


def numbers() -> list[tuple[str, int, float]]:
    """Points of the first run, as [key, step, value]: what was logged, and what only the summary has."""
    found = [("loss", step, 1 / (step + 1)) for step in range(STEPS)]
    found += [("nested.a", step, float(step)) for step in range(STEPS)]
    found += [("nested.b.c", step, -step / 3) for step in range(STEPS)]
    found += [("flag", step, float(step % 2 == 0)) for step in range(STEPS)]
    found += [("not a number", 400, float("nan")), ("infinite", 400, float("-inf"))]
    return [*found, ("accuracy", 400, 0.5), ("accuracy", 401, 0.3), ("accuracy.max", 401, 0.5), ("best", 401, 0.99)]


def make(wandb: Any, folder: Path) -> None:
    run = wandb.init(
        project="project", name="first", group="group", job_type="train", tags=["x", "y"], notes="a note",
        id="first001", config=CONFIG,
    )  # fmt: skip
    for step in range(STEPS):
        nested = {"a": step, "b": {"c": -step / 3}}
        run.log({"loss": 1 / (step + 1), "nested": nested, "flag": step % 2 == 0, "text": f"step {step}"})
    odd = {"not a number": float("nan"), "infinite": float("-inf"), "histogram": wandb.Histogram([1, 2, 3])}
    run.log(odd, step=400)
    run.config.update({"late": 5})
    run.define_metric("accuracy", summary="max")
    run.log({"accuracy": 0.5})
    run.log({"accuracy": 0.3})
    run.summary["best"] = 0.99
    run.summary["verdict"] = "good"
    kept = folder / "kept.txt"
    kept.write_text("kept")
    run.save(str(kept), base_path=str(folder), policy="now")
    run.finish()
    run = wandb.init(project="project", id="second02", config={"lr": 0.2})
    run.log({"loss": 0.25})
    run.finish(exit_code=1)
    time.sleep(1.5)  # folders are named by the second
    run = wandb.init(project="project", id="second02")  # goes on in another process, say
    run.log({"loss": 0.125}, step=7)
    run.finish()
    run = wandb.init(project="project", id="forked03", fork_from="first001?_step=100")
    run.log({"loss": 0.5}, step=101)
    run.finish()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"WANDB_MODE": "offline", "WANDB_DIR": folder, "WANDB_SILENT": "true"}
        os.environ |= {"WANDB_DISABLE_GIT": "true", "WANDB_DISABLE_CODE": "true", "WANDB_CONSOLE": "off"}
        wandb = importlib.import_module("wandb")
        settings = {"x_disable_meta": True, "x_disable_stats": True, "x_save_requirements": False}
        wandb.setup(settings=wandb.Settings(**settings, host="host"))
        make(wandb, Path(folder))
        wandb.teardown()  # which waits until everything is written
        target = HERE / str(wandb.__version__)
        shutil.rmtree(target, ignore_errors=True)
        for run in sorted((Path(folder) / "wandb").glob("offline-run-*")):
            (target / run.name).mkdir(parents=True)
            for file in run.glob("*.wandb"):
                shutil.copy(file, target / run.name)
            shutil.copytree(run / "files", target / run.name / "files")
        print(target)


if __name__ == "__main__":
    main()
