"""Waiting for what other threads and processes come to. This is the only place that looks again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 0.01
SECONDS = 60.0


def reached(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until the condition holds; fails when it does not in that time, however slow the machine may be."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition was not reached"
        pause.wait(LOOK_SECONDS)
