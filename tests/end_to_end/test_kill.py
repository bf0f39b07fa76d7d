"""kill -9 of the whole server while writers write: what was acknowledged shows exactly once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fleetlog

from tests.ports import free_port

STEPS = 2000
KILLS = 4


def start(data: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from fleetlog_deploy.cli import main; main()", "up"]
    process = subprocess.Popen(
        [*command, "--data", str(data), "--port", str(port), "--json"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["target"] == f"127.0.0.1:{port}"
    process.stdout.close()
    return process


class Writers:
    """Three runs of this process that are written in turns, step by step."""

    def __init__(self, target: str) -> None:
        self.runs = [fleetlog.start_run("kill", f"writer {number}", target=target) for number in range(3)]
        self.steps = 0
        self._client = fleetlog.Client(target)

    def write(self, steps: int = 1) -> None:
        for step in range(self.steps, self.steps + steps):
            for run in self.runs:
                run.log({"x": float(step), "y": 1.0}, step=step)
        self.steps += steps

    def acknowledged(self) -> int:
        """How far the log is, as the server told."""
        return sum(offset.next_offset for offset in self._client._connection.position().offsets)

    def write_until_acknowledged(self) -> None:
        """Something is acknowledged when this returns, and more is on its way."""
        before, deadline, pace = self.acknowledged(), time.monotonic() + 60, threading.Event()
        while self.acknowledged() == before:
            assert time.monotonic() < deadline
            self.write()
            pace.wait(0.002)


def test_nothing_is_lost_and_nothing_twice(tmp_path: Path) -> None:
    port = free_port()
    target = f"127.0.0.1:{port}"
    process = start(tmp_path / "data", port)
    try:
        writers = Writers(target)
        for round_ in range(KILLS):
            writers.write(STEPS)
            if round_ % 2:
                writers.runs[0].flush(60)
            else:
                writers.write_until_acknowledged()
            process.send_signal(signal.SIGKILL)
            writers.write(STEPS)
            process.wait()
            process = start(tmp_path / "data", port)
        for run in writers.runs:
            run.finish(timeout=60)
        client = fleetlog.Client(target)
        for run in writers.runs:
            view = client.get_run(run.id)
            assert view.state == "FINISHED"
            for key in ("x", "y"):
                assert view.summary(key).count == writers.steps
                assert view.metric(key).steps.tolist() == list(range(writers.steps))
            assert view.metric("x").values.tolist() == [float(step) for step in range(writers.steps)]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    verify = subprocess.run(
        [sys.executable, "-c", "from fleetlog_deploy.cli import main; main()", "replay", "--verify", "--data",
         str(tmp_path / "data")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert verify.returncode == 0, verify.stdout + verify.stderr
