"""`fleetlog doctor`: what is wrong with an installation, and the mend."""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleetlog.client import Client
from fleetlog.errors import FleetlogError
from rich.console import Console

FREE_BYTES = 2 * 1024**3
SERVER_MODULES = ("chdb", "grpc_health", "grpc_reflection", "lark", "numpy", "prometheus_client")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is empty when all is well."""

    what: str
    found: str
    mend: str = ""


def default_data() -> Path:
    """As `fleetlog up` has it."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "fleetlog"


def examine(data: Path, target: str | None) -> int:
    """Look at everything and print it; 1 when something is wrong."""
    looks: tuple[Callable[[], Finding], ...] = (
        _python, _server_packages, lambda: _directory(data), lambda: _holder(data), lambda: _disk(data),
        lambda: _server(target),
    )  # fmt: skip
    console = Console(soft_wrap=True, highlight=False)
    wrong = 0
    for look in looks:
        finding = look()
        mark = "[red]✗[/red]" if finding.mend else "[green]✓[/green]"
        console.print(f"{mark} {finding.what}: {finding.found}")
        if finding.mend:
            wrong += 1
            console.print(f"    mend: {finding.mend}")
    return 1 if wrong else 0


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", version, "" if sys.version_info >= (3, 11) else "use Python 3.11 or newer")


def _server_packages() -> Finding:
    missing = []
    for name in SERVER_MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        return Finding("server packages", f"missing: {', '.join(missing)}", "pip install 'fleetlog[server]'")
    return Finding("server packages", "all there")


def _directory(data: Path) -> Finding:
    if not data.exists():
        return Finding("data", f"{data} is not there yet; `fleetlog up` makes it")
    if not os.access(data, os.W_OK):
        return Finding("data", f"{data} can't be written", f"chown it to {os.getuid()}, or give another --data")
    return Finding("data", str(data))


def _holder(data: Path) -> Finding:
    lock = data / "log" / "events.sqlite.lock"
    if not lock.exists():
        return Finding("data holder", "nobody")
    with lock.open() as file:
        holder = file.read().strip()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Finding("data holder", f"process {holder}")
    return Finding("data holder", "nobody")


def _disk(data: Path) -> Finding:
    there = data
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    mend = "" if free >= FREE_BYTES else "free some space, or move the data directory"
    return Finding("disk", f"{free / 1e9:.1f} GB free", mend)


def _server(target: str | None) -> Finding:
    client = Client(target)
    try:
        count = len(client.experiments())
    except FleetlogError as error:
        return Finding("server", f"{client.target}: {error.message}", "start it with `fleetlog up`, or give --target")
    return Finding("server", f"{client.target} answers; {count} experiments")
