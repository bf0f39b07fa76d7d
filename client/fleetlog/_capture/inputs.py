"""What a run records once, at its start: tags and files about the code and the environment.

Each kind is asked by itself: one that fails leaves the others alone, and is one line of debugging.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from fleetlog._capture.git import GitState, git_state
from fleetlog._capture.gpus import Gpus
from fleetlog._capture.host import environment, environment_tags
from fleetlog._capture.launcher import launched
from fleetlog._capture.packages import requirements
from fleetlog._capture.program import Program, program
from fleetlog._capture.recording import Inputs
from fleetlog._capture.switches import Switches
from fleetlog._delivery.diagnostics import diagnostics

Found = TypeVar("Found")


def collected(on: Switches, gpus: Gpus) -> Inputs:
    """Returns what is switched on. Takes as long as git does."""
    found = Inputs()
    running = _tried("program", program)
    if running is None:
        return found
    git: GitState | None = None
    if "git" in on and running.repository_folder:
        folder = running.repository_folder
        git = _tried("git", lambda: git_state(folder, with_diff="code" in on))
        if git is not None:
            found.tags.update(git.tags())
            if git.diff:
                found.files["code/changes.diff"] = git.diff
    if "code" in on and running.path is not None:
        content = _tried("code", running.source)
        if content is not None:
            found.files[f"code/{_file_name(running.path.name)}"] = content
    if "environment" in on:
        said = _tried("environment", lambda: environment(running, gpus.devices(), launched(), on.variables))
        if said is not None:
            found.tags.update(environment_tags(said))
            found.files["environment.json"] = (json.dumps(said, indent=2) + "\n").encode()
    if "packages" in on:
        listed = _tried("packages", requirements)
        if listed:
            found.files["requirements.txt"] = listed.encode("utf-8", "backslashreplace")
    found.tags.update(_mlflow_tags(on, running, git))
    return found


def _mlflow_tags(on: Switches, running: Program, git: GitState | None) -> dict[str, str]:
    """The same by the names that MLflow's pages show."""
    found = {}
    if "environment" in on and running.command and running.command[0]:
        found["mlflow.source.name"] = running.command[0] if running.path is None else str(running.path)
        found["mlflow.source.type"] = "NOTEBOOK" if running.is_notebook else "LOCAL"
    if git is not None:
        found["mlflow.source.git.commit"] = git.commit
    return found


def _file_name(name: str) -> str:
    """A name that a path of an artifact can have."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "._- ") else "_" for one in name)[-200:]


def _tried(what: str, read: Callable[[], Found]) -> Found | None:
    try:
        return read()
    except Exception as error:  # whatever the machine answers: training goes on without this
        diagnostics.debug("%s: not recorded: %r", what, error)
        return None
