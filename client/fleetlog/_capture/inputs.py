"""What a run records once, at its start: tags and files about the code and the environment.

Each kind is asked by itself: one that fails leaves the others alone, and is one line of debugging.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TypeVar

from fleetlog._capture.git import git_state
from fleetlog._capture.gpus import Gpus
from fleetlog._capture.host import environment, environment_tags
from fleetlog._capture.launcher import launched
from fleetlog._capture.packages import requirements
from fleetlog._capture.program import Program, program
from fleetlog._capture.recording import Inputs
from fleetlog._capture.switches import Switches
from fleetlog._delivery.diagnostics import diagnostics

Found = TypeVar("Found")


def collected(on: Switches, gpus: Gpus) -> Iterator[Inputs]:
    """What is switched on, kind by kind: what takes long comes last, so that a short run has the rest."""
    running = _tried("program", program)
    if running is None:
        return
    if "environment" in on:
        said = _tried("environment", lambda: environment(running, gpus.devices(), launched(), on.variables))
        if said is not None:
            content = (json.dumps(said, indent=2) + "\n").encode()
            yield Inputs(environment_tags(said) | _mlflow_tags(running), {"environment.json": content})
    if "code" in on and running.path is not None:
        source = _tried("code", running.source)
        if source is not None:
            yield Inputs(files={f"code/{_file_name(running.path.name)}": source})
    if "packages" in on:
        listed = _tried("packages", requirements)
        if listed:
            yield Inputs(files={"requirements.txt": listed.encode("utf-8", "backslashreplace")})
    folder = running.repository_folder
    if "git" in on and folder:
        git = _tried("git", lambda: git_state(folder, with_diff="code" in on))
        if git is not None:
            files = {"code/changes.diff": git.diff} if git.diff else {}
            yield Inputs(git.tags() | {"mlflow.source.git.commit": git.commit}, files)


def _mlflow_tags(running: Program) -> dict[str, str]:
    """What is run, by the names that MLflow's pages show."""
    if not running.command or not running.command[0]:
        return {}
    return {
        "mlflow.source.name": running.command[0] if running.path is None else str(running.path),
        "mlflow.source.type": "NOTEBOOK" if running.is_notebook else "LOCAL",
    }


def _file_name(name: str) -> str:
    """A name that a path of an artifact can have."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "._- ") else "_" for one in name)[-200:]


def _tried(what: str, read: Callable[[], Found]) -> Found | None:
    try:
        return read()
    except Exception as error:  # whatever the machine answers: training goes on without this
        diagnostics.debug("%s: not recorded: %r", what, error)
        return None
