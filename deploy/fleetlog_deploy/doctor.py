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
from fleetlog.errors import FleetlogError, Unavailable
from rich.console import Console
from rich.markup import escape

FREE_BYTES = 2 * 1024**3
REBUILDING = "WAREHOUSE_REBUILDING"
"""Reason of a server that is there, and can't answer reads yet."""
SERVER_MODULES = ("chdb", "grpc_health", "grpc_reflection", "jwt", "lark", "numpy", "prometheus_client")


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
        console.print(f"{mark} {finding.what}: {escape(finding.found)}")
        if finding.mend:
            wrong += 1
            console.print(f"    mend: {escape(finding.mend)}")
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
    try:
        if not data.exists():
            return _absent(data)
        if not data.is_dir():
            return Finding("data", f"{data} is not a directory", "give another --data")
        if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
            return Finding("data", f"{data} can't be written", f"chown it to {os.getuid()}, or give another --data")
        if not (data / "log" / "events.sqlite").exists() and any(data.iterdir()):
            return Finding(
                "data",
                f"{data} has other things in it, and no log of fleetlog",
                "give the --data that `fleetlog up` was given, or an empty directory",
            )
    except OSError as error:
        return Finding("data", f"{data} can't be looked at: {error.strerror}", "give another --data")
    return Finding("data", str(data))


def _absent(data: Path) -> Finding:
    """Whether `fleetlog up` could make it."""
    there = _existing(data)
    if not there.is_dir():
        return Finding("data", f"{data} can't be made: {there} is not a directory", "give another --data")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data", f"{data} can't be made: {there} can't be written", "give another --data")
    return Finding("data", f"{data} is not there yet; `fleetlog up` makes it")


def _existing(data: Path) -> Path:
    """The directory, or the nearest above it that is there."""
    while not data.exists():
        data = data.parent
    return data


def _holder(data: Path) -> Finding:
    lock = data / "log" / "events.sqlite.lock"
    try:
        if not lock.exists():
            return Finding("data holder", "nobody")
        with lock.open() as file:
            holder = file.read().strip()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Finding("data holder", f"process {holder}")
    except OSError as error:
        return Finding("data holder", f"{lock} can't be read: {error.strerror}", "ask as the user who runs the server")
    return Finding("data holder", "nobody")


def _disk(data: Path) -> Finding:
    try:
        free = shutil.disk_usage(_existing(data)).free
    except OSError as error:
        return Finding("disk", f"{data} can't be looked at: {error.strerror}", "give another --data")
    mend = "" if free >= FREE_BYTES else "free some space, or move the data directory"
    return Finding("disk", f"{free / 1e9:.1f} GB free", mend)


def _server(target: str | None) -> Finding:
    client = Client(target)
    try:
        count = len(client.experiments())
    except Unavailable as error:
        if error.reason == REBUILDING:
            return Finding(
                "server", f"{client.target}: {error.message}", "wait; its diagnostics say which rows were lost"
            )
        return Finding("server", f"nobody answers at {client.target}", "start it with `fleetlog up`, or give --target")
    except FleetlogError as error:
        return Finding(
            "server", f"{client.target}: {error.message}", "is it fleetlog that listens there? give --target"
        )
    return Finding("server", f"{client.target} answers; {count:,} experiment{'s' if count != 1 else ''}")
