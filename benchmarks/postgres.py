"""A PostgreSQL server for one benchmark: a fresh cluster with its defaults, on loopback, stopped at the end."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.mlflow_server import free_port

USER = "postgres"
READY_SECONDS = 60.0


def postgres_binaries() -> Path | None:
    """The folder with `postgres` and `initdb`: on the path, or where Debian has it; None: not installed."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in places if (one / "initdb").exists() and (one / "postgres").exists()), None)


@contextmanager
def postgres(binaries: Path) -> Iterator[str]:
    """Start one: its URL, for SQLAlchemy. As root it runs as the user `postgres`, since it refuses to be root."""
    folder = Path(tempfile.mkdtemp(prefix="fleetlog-bench-postgres-"))
    user = USER if os.geteuid() == 0 else None
    data, port = folder / "data", free_port()
    try:
        if user:
            shutil.chown(folder, user)
        told = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", USER, "--auth", "trust"],
            user=user, group=user, extra_groups=[] if user else None, cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        if told.returncode:
            raise RuntimeError(f"initdb, as {user or getpass.getuser()}: {told.stderr[-2_000:]}")
        with (folder / "postgres.log").open("w") as out:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"],
                user=user, group=user, extra_groups=[] if user else None, cwd=folder, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            _until_ready(binaries, port, process, folder)
            yield f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/postgres"
        finally:
            # "Fast": connections that are open are closed.
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _until_ready(binaries: Path, port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    ready, address = binaries / "pg_isready", ("-h", "127.0.0.1", "-p", str(port))
    while subprocess.run([ready, "--quiet", *address]).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'postgres.log').read_text()[-2_000:]}")
        time.sleep(0.1)
