"""MLflow in an environment of its own, and its tracking server with what it does by default.

Environments are kept in the user's cache: $XDG_CACHE_HOME/fleetlog-bench, or ~/.cache/fleetlog-bench.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGES = ("mlflow", "psycopg2-binary")
READY_SECONDS = 300.0


def mlflow_python() -> Path:
    """The Python that has MLflow. It is installed the first time, which takes a minute and most of a gigabyte."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleetlog-bench"
    home = cache / "mlflow"
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        print(f"benchmarks: installing {', '.join(PACKAGES)} into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
            check=True, env=mlflow_environment(),
        )  # fmt: skip
        done.touch()
    return python


def mlflow_version(python: Path) -> str:
    """The version that is installed."""
    code = "from importlib.metadata import version; print(version('mlflow'))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def mlflow_environment() -> dict[str, str]:
    """Nobody's settings of Python or MLflow. It tells its makers nothing of a benchmark; nothing else is set."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHON"))}
    return {**own, "MLFLOW_DISABLE_TELEMETRY": "true"}


@contextmanager
def mlflow_server(python: Path, store: str, folder: Path) -> Iterator[str]:
    """`mlflow server` over a store, on loopback: its URL. All of its processes are ended, and its folder is not."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    told = folder / "mlflow.log"
    with told.open("w") as out:
        process = subprocess.Popen(
            [python, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)],
            stdout=out, stderr=out, cwd=folder, env=mlflow_environment(), start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_healthy(url, process, told)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        # Its session is its own: what is left of it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], told: Path) -> None:
    """RuntimeError, with what it `told`, when the server of a process does not answer in time."""
    deadline = time.monotonic() + READY_SECONDS
    while not _healthy(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"MLflow did not start: {told.read_text()[-2_000:]}")
        time.sleep(0.2)


def free_port() -> int:
    """Below the ports that the kernel gives to clients."""
    for port in range(12_000 + os.getpid() % 6_000, 32_768):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
