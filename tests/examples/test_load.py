from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import fleetlog
import load
import pytest
from rich.console import Console

LOADER = Path(load.__file__)
RUNS, LINES, KEYS = 12, 1_500, 4


def written(folder: Path, runs: int, lines: int) -> Path:
    """Logs in two folders, one of them with spaces, and what runs.jsonl says of the first."""
    for number in range(runs):
        path = folder / ("2024-10-09 a record" if number % 2 else "2025-01-04_b") / f"run {number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = [f"step:{n}/{lines} loss:{number + 1 / (n + 1):.6f} train_time:{n * 7}ms lr:1e-{number + 1} norm:nan\n"
                for n in range(lines)]  # fmt: skip
        path.write_text("".join(text) + "done, at last\n")
    about = {"log": "2025-01-04_b/run 0.log", "run": "the first", "params": {"num_iterations": lines, "muon": True},
             "env": {"gpu": "8xH100"}, "record": 17}  # fmt: skip
    (folder / "runs.jsonl").write_text(json.dumps(about) + "\n\n")
    return folder


def stored(target: str, experiment: str) -> dict[str, tuple[str, dict[str, int]]]:
    """State and points by metric of each run, by the name of its log."""
    runs = fleetlog.Client(target).search_runs(experiments=[experiment], summaries=True, limit=None)
    return {run.tags["log"]: (run.state, {key: run.summary(key).count for key in run.metrics}) for run in runs}


def expected(runs: int, lines: int) -> dict[str, tuple[str, dict[str, int]]]:
    counts = {"loss": lines, "train_time": lines, "lr": lines, "norm": lines}
    return {
        f"{'2024-10-09 a record' if n % 2 else '2025-01-04_b'}/run {n}.log": ("FINISHED", counts) for n in range(runs)
    }


def quiet() -> Console:
    return Console(stderr=True, quiet=True)


def test_a_folder_is_loaded_once(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    folder = written(tmp_path, 3, 50)
    first = load.load(folder, experiment, embedded_target, quiet())
    assert (first.runs, first.skipped, first.refused, first.lines, first.strange_lines) == (3, 0, 0, 150, 3)
    assert first.points == 3 * 50 * KEYS
    assert stored(embedded_target, experiment) == expected(3, 50)
    again = load.load(folder, experiment, embedded_target, quiet())
    assert (again.runs, again.skipped, again.points) == (0, 3, 0)
    assert stored(embedded_target, experiment) == expected(3, 50)

    (run,) = fleetlog.Client(embedded_target).search_runs("attributes.name = 'the first'", experiments=[experiment])
    assert run.params == {"num_iterations": 50, "muon": True}
    assert run.tags == {
        "gpu": "8xH100", "log": "2025-01-04_b/run 0.log", "run": "the first", "record": "17", "planned_steps": "50",
        "unit.train_time": "ms",
    }  # fmt: skip
    loss = run.metric("loss")
    assert loss.steps.tolist() == list(range(50))
    assert loss.values.tolist() == [round(1 / (n + 1), 6) for n in range(50)]
    assert loss.times.astype("datetime64[ms]").astype(int).tolist() == [1_735_948_800_000 + 7 * n for n in range(50)]
    assert math.isnan(run.metric("norm").values[0])


def test_an_archive_is_the_folder_it_was_made_of(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "logs", 2, 20)
    archive = tmp_path / "logs.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(folder, ".")
    assert load.load(archive, experiment, embedded_target, quiet()).runs == 2
    assert load.load(folder, experiment, embedded_target, quiet()).skipped == 2
    assert stored(embedded_target, experiment) == expected(2, 20)
    # Another experiment has runs of its own, of the same logs.
    assert load.load(archive, f"{experiment} 2", embedded_target, quiet()).runs == 2
    assert stored(embedded_target, f"{experiment} 2") == expected(2, 20) == stored(embedded_target, experiment)


def test_a_load_that_was_broken_off_goes_on(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    folder = written(tmp_path, RUNS, LINES)
    command = [sys.executable, str(LOADER), str(folder), "--target", embedded_target, "--experiment", experiment]
    client = fleetlog.Client(embedded_target)
    client.create_experiment(experiment)
    for enough in (1, RUNS // 2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(client.search_runs(experiments=[experiment], limit=None)) < enough and process.poll() is None:
            assert time.monotonic() < deadline, "nothing arrives"
        process.send_signal(signal.SIGKILL)
        process.wait()
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "points/s, read, sent, durable and searchable)" in ended.stdout
    assert stored(embedded_target, experiment) == expected(RUNS, LINES)
    for run in client.search_runs(experiments=[experiment], limit=None):
        assert run.metric("loss").steps.tolist() == list(range(LINES))


def test_what_fleetlog_does_not_take_costs_only_itself(
    embedded_target: str, experiment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.log").write_text("step:1 a//b:text ok:fine x:1 a//c:5\nstep:2 x:2 long:" + "t" * 20_000 + "\n")
    (tmp_path / "bytes.log").write_bytes(b"step:1 x:1\n\xff\xfe\n\0\nstep:2 x:2\n")
    (tmp_path / "empty.log").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.log")).write_text("step:1 x:1\n")
    (tmp_path / "folder.log").mkdir()
    (tmp_path / "runs.jsonl").write_text('{"log": "gone.log"}\nnot json\n[]\n{"run": "of nothing"}\n')
    report = load.load(tmp_path, experiment, embedded_target, quiet())
    assert (report.runs, report.refused) == (4, 0)
    assert {log: counts for log, (_, counts) in stored(embedded_target, experiment).items()} == {
        "odd.log": {"x": 2}, "bytes.log": {"x": 2}, "empty.log": {}, "\\udcff.log": {"x": 1},
    }  # fmt: skip
    (odd,) = fleetlog.Client(embedded_target).search_runs("tags.log = 'odd.log'", experiments=[experiment])
    assert odd.tags == {"log": "odd.log", "ok": "fine"}
    told = capsys.readouterr().err
    assert "load: gone.log is named in runs.jsonl, and is not there\n" in told
    assert [f"line {n} of runs.jsonl is no JSON object" in told for n in (1, 2, 3, 4)] == [False, True, True, True]
    assert "load: odd.log: tag: 'a//b'" in told
    assert "has more than 16,384 bytes" in told


def test_what_it_says_when_it_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main([str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err == f"load: {tmp_path / 'nowhere'} is not there\n"
    assert load.main([str(tmp_path), "--target", "127.0.0.1:1"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("load: no server answers at 127.0.0.1:1: start one")
    assert told.count("\n") == 1


def test_a_file_that_is_no_archive(
    embedded_target: str, experiment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.tar").write_text("no archive")
    assert load.main([str(tmp_path / "no.tar"), "--target", embedded_target, "--experiment", experiment]) == 1
    assert f"load: {tmp_path / 'no.tar'} can't be read" in capsys.readouterr().err
