"""Processes for what opens chDB: one opens one directory, and the tests' own has that of the embedded server."""

from __future__ import annotations

import atexit
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")
SECONDS = 240.0
"""Maximum seconds of a call."""
SPAWN = multiprocessing.get_context("spawn")
_idle: list[ProcessPoolExecutor] = []


def in_own_process(function: Callable[..., T], *arguments: object) -> T:
    """Call in a process that has no warehouse open, and keep the process for the next call, unless this one raises.

    To start one and to load chDB takes many times as long as to open a directory in it. The function closes what it
    opens, and leaves the process as it was: else `in_fresh_process`.
    """
    executor = _idle.pop() if _idle else ProcessPoolExecutor(1, mp_context=SPAWN)
    try:
        result = executor.submit(function, *arguments).result(timeout=SECONDS)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    _idle.append(executor)
    return result


def in_fresh_process(function: Callable[..., T], *arguments: object) -> T:
    """Call in a process in which nothing else runs before or after: for what changes limits, signals or the engine."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as executor:
        return executor.submit(function, *arguments).result(timeout=SECONDS)


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().shutdown()
