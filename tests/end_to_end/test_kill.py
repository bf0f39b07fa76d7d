"""kill -9 of the whole server while writers write: what was acknowledged shows exactly once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import fleetlog

STEPS = 3000
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


def free_port() -> int:
    """Below the ports that the kernel gives to clients: a client that dials one of those may meet itself."""
    for port in range(20_000 + os.getpid() % 8_000, 30_000):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def test_nothing_is_lost_and_nothing_twice(tmp_path: Path) -> None:
    port = free_port()
    target = f"127.0.0.1:{port}"
    process = start(tmp_path / "data", port)
    try:
        runs = [fleetlog.start_run("kill", f"writer {n}", target=target) for n in range(3)]
        for round_ in range(KILLS):
            for step in range(STEPS):
                for run in runs:
                    run.log({"x": float(step), "y": 1.0}, step=round_ * STEPS + step)
            if round_ % 2:
                runs[0].flush(60)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = start(tmp_path / "data", port)
        for run in runs:
            run.finish(timeout=60)
        client = fleetlog.Client(target)
        for run in runs:
            view = client.get_run(run.id)
            assert view.state == "FINISHED"
            for key in ("x", "y"):
                assert view.summary(key).count == KILLS * STEPS
                assert view.metric(key).steps.tolist() == list(range(KILLS * STEPS))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    verify = subprocess.run(
        [sys.executable, "-c", "from fleetlog_deploy.cli import main; main()", "replay", "--verify", "--data",
         str(tmp_path / "data")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert verify.returncode == 0, verify.stdout + verify.stderr
