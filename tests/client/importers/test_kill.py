"""Imports that are killed: what came of them is there once, and the next one brings the rest."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import fleetlog
import pytest
from fleetlog.importers import import_from, open_source, verify

from tests.client.importers.file_stores import lines, make_experiment, make_run, run_ids
from tests.faults.sizes import sized

KILLS = sized(3, 10)
RUNS = 6
POINTS = 30_000
MORE = 701
"""Points that the run that goes on has more of at each attempt."""


@pytest.mark.timeout(900)
def test_nothing_is_there_twice_and_nothing_is_missing(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    folder = make_experiment(tmp_path / "mlruns", "1", experiment)
    ids = run_ids(experiment, RUNS + 2)
    for number, run_id in enumerate(ids[:RUNS]):
        run = make_run(folder, run_id, {"loss": lines(POINTS), "val/acc": lines(POINTS, first=-7)})
        (run / "artifacts").mkdir()
        (run / "artifacts" / "notes.txt").write_text(f"notes of {number}")
    make_run(folder, ids[RUNS], {"loss": lines(1)})
    grows = make_run(folder, ids[RUNS + 1], {"loss": ""}, status=1) / "metrics" / "loss"
    moments = random.Random(os.urandom(8))
    for attempt in range(KILLS):
        with grows.open("a") as file:
            file.write(lines(MORE, first=attempt * MORE))
        # It tells of each batch: a random number of them were read when it is killed, and some were sent.
        _killed_after(moments.randint(1, RUNS + 1), embedded_target, tmp_path / "mlruns")
    report = import_from("mlflow", tmp_path / "mlruns", client=fleetlog.Client(embedded_target))
    assert report.is_complete, report.faults
    assert (report.runs, report.experiments) == (RUNS + 2, 0)
    client = fleetlog.Client(embedded_target)
    found = verify(client, open_source("mlflow", tmp_path / "mlruns"))
    assert found.is_same, found.differences
    assert (found.points, found.files) == (RUNS * 2 * POINTS + 1 + KILLS * MORE, RUNS)
    assert all(client.get_run(run).problems == [] for run in client.search_runs(experiments=[experiment]))
    again = import_from("mlflow", tmp_path / "mlruns", client=client)
    assert (again.new_runs, again.points, again.files) == (0, 0, 0)


def _killed_after(batches: int, target: str, folder: Path) -> None:
    command = [sys.executable, "-m", "tests.client.importers.victim", target, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for _ in range(batches):
            if not victim.stdout.readline():
                break
        victim.kill()
