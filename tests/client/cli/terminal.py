"""The command line as a person sees it, and as a script does."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass

from tests.journals import own_journal

COMMAND = [sys.executable, "-c", "from fleetlog_deploy.cli import main; main()"]


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def environment_of(target: str) -> dict[str, str]:
    """Environment of a command, with nobody's settings but the server's address."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLEETLOG_", "COLUMNS", "LINES"))}
    paths = os.pathsep.join(filter(None, sys.path))
    own = {"FLEETLOG_TARGET": target, "FLEETLOG_JOURNAL": own_journal()}
    return {**kept, **own, "PYTHONPATH": paths, "NO_COLOR": "1"}


def piped(target: str, *arguments: str, encoding: str = "utf-8") -> Answer:
    """The command with its output in a pipe."""
    environment = {**environment_of(target), "PYTHONIOENCODING": encoding}
    done = subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, timeout=60, check=False)
    return Answer(done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding))


def on_terminal(target: str, columns: int, *arguments: str) -> Answer:
    """The command on a terminal so many characters wide, without colours."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**environment_of(target), "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    out = b""
    try:
        # Linux says EIO when the last writer of a terminal has gone.
        while chunk := os.read(reading, 65536):
            out += chunk
    except OSError:
        pass
    os.close(reading)
    _, err = process.communicate(timeout=60)
    return Answer(process.returncode, out.decode().replace("\r\n", "\n"), err.decode())
