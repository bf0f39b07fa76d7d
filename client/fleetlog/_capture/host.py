"""The machine and the Python that a process runs on."""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from fleetlog._capture.gpus import Gpu
from fleetlog._capture.launcher import Launched
from fleetlog._capture.masking import MASK, is_secret_name, masked
from fleetlog._capture.program import Program


def environment(
    program: Program, gpus: Iterable[Gpu], launched: Launched | None, variables: Iterable[str]
) -> dict[str, Any]:
    """Returns everything about where a process runs, as it is kept in a file. No variable that was not named."""
    return {
        "host": socket.gethostname(),
        "os": platform.platform(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "executable": sys.executable,
        "command": list(program.command),
        "folder": program.folder,
        "cpus": os.cpu_count(),
        "usable_cpus": _usable_cpus(),
        "memory_bytes": _memory_bytes(),
        "gpus": [{"name": gpu.name, "memory_bytes": gpu.memory_bytes} for gpu in gpus],
        "launcher": None if launched is None else launched.launcher,
        "world_size": None if launched is None else launched.world_size,
        "variables": _values(variables, os.environ),
    }


def environment_tags(said: Mapping[str, Any]) -> dict[str, str]:
    """Returns what is searched for, as tags."""
    gpus = [gpu["name"] for gpu in said["gpus"]]
    memory = said["memory_bytes"]
    found = {
        "host.name": said["host"],
        "host.cpus": said["usable_cpus"],
        "host.memory_gb": None if memory is None else f"{memory / 1e9:.1f}",
        "host.gpus": len(gpus) or None,
        "host.gpu": ", ".join(sorted(set(gpus))),
        "os.name": said["os"],
        "python.version": said["python"],
        "process.command": " ".join(said["command"])[:4_000],
        "process.folder": said["folder"],
        "launcher.name": said["launcher"],
        "launcher.world_size": said["world_size"],
    }
    return {key: str(value) for key, value in found.items() if value not in (None, "")}


def _usable_cpus() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None


def _values(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in names:
        value = environment.get(name)
        if value is not None:
            found[name] = MASK if is_secret_name(name) else masked(value)
    return found
