"""Training scripts as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleetlog

from tests.journals import own_journal
from tests.waiting import Seen, seen

HEAD = """
import json, os, signal, sys, time
import fleetlog
"""


def command(script: str, tmp_path: Path) -> list[str]:
    path = tmp_path / "train.py"
    path.write_text(HEAD + textwrap.dedent(script))
    return [sys.executable, str(path)]


def environment(target: str) -> dict[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    # Python 3.12 and later warn of each fork of a process that has threads, which is none of ours to mend.
    forks = "ignore:This process:DeprecationWarning"
    return {
        **os.environ, "FLEETLOG_TARGET": target, "PYTHONPATH": paths, "PYTHONWARNINGS": forks,
        "FLEETLOG_JOURNAL": own_journal(),
    }  # fmt: skip


def train(script: str, tmp_path: Path, target: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run it to its end, which must come."""
    return subprocess.run(
        command(script, tmp_path), env=environment(target), capture_output=True, text=True, timeout=timeout, check=False
    )


def said(done: subprocess.CompletedProcess[str]) -> Any:
    """The line of JSON that the script printed."""
    return json.loads(done.stdout.strip().splitlines()[-1])


def wait_for(look: Callable[[], Seen], enough: Callable[[Seen], bool], timeout: float = 30.0) -> Seen:
    """Look until it is enough, or as it is when the time ran out: another process wrote, so no read waits for that."""
    return seen(look, enough, timeout)


def ended(target: str, run_id: str) -> fleetlog.RunView:
    """The run, when its end shows. What one process wrote to it before shows with it."""
    client = fleetlog.Client(target)
    wait_for(lambda: client.get_runs([run_id]), lambda runs: bool(runs) and runs[0].end_time is not None)
    return client.get_run(run_id)
