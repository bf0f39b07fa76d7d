"""Processes for what opens chDB: one opens one directory, and the tests' own has that of the embedded server."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
SECONDS = 240.0
"""Maximum seconds of a call."""
SPAWN = multiprocessing.get_context("spawn")


class _Process:
    """A process that takes one call at a time. When a call fails it is killed: nobody knows what it holds."""

    def __init__(self) -> None:
        self._executor = ProcessPoolExecutor(1, mp_context=SPAWN)
        self._pid = self._executor.submit(os.getpid).result(timeout=SECONDS)

    def call(self, function: Callable[..., T], *arguments: object, seconds: float) -> T:
        """Its result, or what it raises; TimeoutError."""
        try:
            return self._executor.submit(function, *arguments).result(timeout=seconds)
        except BaseException:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self.end()
            raise

    def end(self) -> None:
        """Let it end."""
        self._executor.shutdown()


_idle: list[_Process] = []


def in_own_process(function: Callable[..., T], *arguments: object) -> T:
    """Call in a process that has no warehouse open, and keep the process for the next call.

    To start one and to load chDB takes many times as long as to open a directory in it. The function closes what it
    opens, and leaves the process as it was: else `in_fresh_process`.
    """
    process = _idle.pop() if _idle else _Process()
    result = process.call(function, *arguments, seconds=SECONDS)
    _idle.append(process)
    return result


def in_fresh_process(function: Callable[..., T], *arguments: object, seconds: float = SECONDS) -> T:
    """Call in a process in which nothing else runs before or after: for what changes limits, signals or the engine."""
    process = _Process()
    result = process.call(function, *arguments, seconds=seconds)
    process.end()
    return result
