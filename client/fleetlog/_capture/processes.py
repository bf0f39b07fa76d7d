"""Programs that are asked something: with a limit of time and of what is read, no terminal, no questions."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said. `code` is its exit code; None when it was ended for having said too much."""

    code: int | None
    output: bytes
    is_cut: bool

    def text(self) -> str:
        """The output without its last line break; "" when the program failed."""
        return "" if self.code else self.output.decode("utf-8", "replace").rstrip("\n")


def ask(
    command: Sequence[str], *, folder: str, timeout_seconds: float, max_bytes: int,
    environment: Mapping[str, str] | None = None,
) -> Answer:  # fmt: skip
    """Returns the answer. OSError: there is no such program. TimeoutError."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        # A group of its own: what it started ends with it, and Ctrl-C is not for it.
        start_new_session=True,
    )
    expired = threading.Event()

    def end() -> None:
        expired.set()
        _kill(process)

    timer = threading.Timer(timeout_seconds, end)
    timer.daemon = True
    timer.start()
    with process:
        output = b"" if process.stdout is None else process.stdout.read(max_bytes + 1)
        is_cut = len(output) > max_bytes
        if is_cut:
            _kill(process)
    timer.cancel()
    if expired.is_set():
        raise TimeoutError(f"{command[0]} took more than {timeout_seconds:g} s")
    return Answer(None if is_cut else process.returncode, output[:max_bytes], is_cut)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
