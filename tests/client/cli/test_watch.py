"""fleetlog runs watch, as a process of its own, on a pipe and on a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO

import fleetlog
import pytest
from fleetlog.cli.watch import drawn
from rich.console import Console

from tests.client.processes import environment

COMMAND = [sys.executable, "-c", "import sys; from fleetlog.cli.app import run_app; sys.exit(run_app())"]


@contextmanager
def watching(target: str, *arguments: str, terminal: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command; at the end it gets Ctrl-C and must end well."""
    process = subprocess.Popen(
        [*COMMAND, "runs", "watch", *arguments], env=environment(target) | {"COLUMNS": "150"}, text=True,
        stdout=subprocess.PIPE if terminal is None else terminal, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def line_of(stream: IO[str] | None) -> str:
    assert stream is not None
    line = stream.readline()
    assert line, "it ended"
    return line.rstrip("\n")


@pytest.fixture
def run(embedded_target: str, experiment: str) -> Iterator[fleetlog.Run]:
    with fleetlog.start_run(experiment, "first", target=embedded_target) as run:
        run.log({"loss": 3.0}, step=0)
        run.flush()
        yield run


def test_in_a_pipe_each_change_is_a_line(embedded_target: str, experiment: str, run: fleetlog.Run) -> None:
    with watching(embedded_target, "metrics.loss < 5", "-e", experiment, "--columns", "name,metrics.loss") as process:
        assert line_of(process.stdout) == "change\trun_id\tname\tmetrics.loss"
        assert line_of(process.stdout) == f"entered\t{run.id}\tfirst\t3.0"
        run.log({"loss": 2.5}, step=1)
        assert line_of(process.stdout) == f"changed\t{run.id}\tfirst\t2.5"
        run.log({"loss": 7.0}, step=2)
        assert line_of(process.stdout) == f"left\t{run.id}\tfirst\t2.5"


def test_as_json_each_change_is_an_object(embedded_target: str, experiment: str, run: fleetlog.Run) -> None:
    with watching(embedded_target, "-e", experiment, "--json") as process:
        first = json.loads(line_of(process.stdout))
        assert (first["change"], first["run_id"], first["metrics"]) == ("entered", run.id, {"loss": 3.0})
        run.log({"loss": float("nan")}, step=1)
        second = json.loads(line_of(process.stdout))
        assert (second["change"], second["metrics"]) == ("changed", {"loss": "nan"})


def test_on_a_terminal_it_is_a_table(embedded_target: str, experiment: str, run: fleetlog.Run) -> None:
    mine, its = pty.openpty()
    text = ""
    try:
        with watching(embedded_target, "-e", experiment, terminal=its) as process:
            while "metrics.loss" not in text or "Ctrl-C ends" not in text:
                assert process.poll() is None
                text += os.read(mine, 65_536).decode(errors="replace")
    finally:
        os.close(its)
        os.close(mine)
    assert "first" in text


def test_what_is_new_is_told_below_the_table(embedded_target: str, experiment: str, run: fleetlog.Run) -> None:
    changes = fleetlog.Client(embedded_target).watch_runs(experiments=[experiment])
    next(changes)
    with fleetlog.start_run(experiment, "second", target=embedded_target):
        change = next(changes)
    with io.StringIO() as out:
        table = drawn(change, ["name", "state"], lambda run, _: [run.name, run.state], datetime(2026, 1, 2, 3, 4, 5))
        Console(width=150, file=out).print(table)
        text = out.getvalue()
    assert text.index("second") < text.index("first")
    assert "2 runs, 1 new" in text
    assert "03:04:05; Ctrl-C ends" in text


def test_a_wrong_filter_is_an_error(embedded_target: str) -> None:
    done = subprocess.run(
        [*COMMAND, "runs", "watch", "metrics.x <"], env=environment(embedded_target), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("fleetlog: filter")
