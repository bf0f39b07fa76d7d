"""The `fleetlog` command as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.journals import own_journal

COMMAND = (sys.executable, "-c", "from fleetlog_deploy.cli import main; main()")
WITHOUT_SERVER = (
    sys.executable,
    "-c",
    "import sys; sys.modules.update(dict.fromkeys(('chdb', 'lark'))); from fleetlog_deploy.cli import main; main()",
)
"""As it is where fleetlog was installed without its server's packages."""

WITHOUT_CHDB = (
    sys.executable,
    "-c",
    "import sys; sys.modules.update(chdb=None); from fleetlog_deploy.cli import main; main()",
)
"""As it is where fleetlog[cluster] was installed."""

WITHOUT_OTEL = (
    sys.executable,
    "-c",
    "import sys; sys.modules.update(opentelemetry=None); from fleetlog_deploy.cli import main; main()",
)
"""As it is where fleetlog[traces] was not installed."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def fleetlog(
    *commands: tuple[str | Path, ...],
    command: tuple[str, ...] = COMMAND,
    environment: Mapping[str, str] | None = None,
) -> list[Ended]:
    """Run the commands side by side."""
    started = [
        subprocess.Popen(
            [*command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**_environment(), **(environment or {})},
        )
        for arguments in commands
    ]
    ended = []
    for process in started:
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end: {out}{err}") from None
        ended.append(Ended(process.returncode, out, err))
    return ended


@dataclass
class Up:
    """A server that runs. `err` is what it said when it had stopped."""

    process: subprocess.Popen[str]
    ready: dict[str, object]
    err: str = ""

    @property
    def target(self) -> str:
        return str(self.ready["target"])

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        self.err = err or ""
        assert out == "", "one line and no more"
        return self.process.returncode


@contextmanager
def up(data: Path, *options: str) -> Iterator[Up]:
    """`fleetlog up --json` on the directory; killed at the end unless it was stopped."""
    with running("up", "--data", str(data), *options) as server:
        yield server


@contextmanager
def running(*arguments: str, environment: Mapping[str, str] | None = None, err: IO[str] | None = None) -> Iterator[Up]:
    """A command that serves, with --json, and these FLEETLOG_* variables; killed at the end unless it was stopped.

    What it says to stderr goes to the file `err`, when there is one.
    """
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--json"],
        stdout=subprocess.PIPE, stderr=err or subprocess.PIPE, text=True, env={**_environment(), **(environment or {})},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"it did not start: {process.communicate()[1] or err}")
        yield Up(process, json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()


def _environment() -> dict[str, str]:
    """Nobody's settings; lines as wide as they are."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("FLEETLOG_", "XDG_"))}
    return {**own, "FLEETLOG_JOURNAL": own_journal(), "FLEETLOG_WEB_PORT": "0", "COLUMNS": "200", "NO_COLOR": "1"}
