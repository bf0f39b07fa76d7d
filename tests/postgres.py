"""A server of PostgreSQL of a test's own, where its programs are installed (Debian's package `postgresql`)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.postgres import postgres_binaries
from tests.ports import free_port
from tests.servers import missing_program
from tests.waiting import reached

USER, PASSWORD = "fleetlog", "it's @ secret"
SECONDS = 120.0


@contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a server that is empty, as host:port; its superuser is USER with PASSWORD. Skips without one."""
    programs = postgres_binaries()
    if programs is None:
        missing_program("PostgreSQL", "Debian's package postgresql has it")
    account = _account()
    with tempfile.TemporaryDirectory(prefix="fleetlog-postgres-") as name:
        folder = Path(name)
        password = folder / "password"
        password.write_text(PASSWORD)
        if account:
            for path in (folder, password):
                shutil.chown(path, account["user"])
        made: list[str | Path] = [
            programs / "initdb", "-D", folder / "data", "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}",
            "--encoding=UTF8", "--locale=C", "--no-sync",
        ]  # fmt: skip
        subprocess.run(made, check=True, capture_output=True, cwd=folder, timeout=SECONDS, **account)
        port = free_port()
        # Nothing of it outlives the tests, so it need not wait for a disk.
        said = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", "-p", str(port), *said], stdout=log, stderr=log,
                cwd=folder, **account,
            )  # fmt: skip
        try:
            _wait_until_ready(programs, port, server)
            yield f"127.0.0.1:{port}"
        finally:
            # Without a checkpoint, and without waiting for whoever is still connected.
            server.send_signal(signal.SIGQUIT)
            server.wait(SECONDS)


def _account() -> Mapping[str, Any]:
    """Who it runs as: PostgreSQL refuses to run as root."""
    if os.getuid():
        return {}
    import pwd

    names = {one.pw_name for one in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _wait_until_ready(programs: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    asked: list[str | Path] = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    reached(lambda: server.poll() is not None or subprocess.run(asked, timeout=SECONDS).returncode == 0)
    assert server.poll() is None, "PostgreSQL ended"
