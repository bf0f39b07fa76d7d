"""Threads of the client: daemons, which end nothing by themselves and are begun again when they die."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

THREADS_AT_EXIT = sys.version_info[:2] != (3, 12)
"""True if a thread can be started while the process's exit functions run; Python 3.12 alone refuses."""


def is_alive(thread: threading.Thread | None) -> bool:
    """True if there is such a thread, and it runs."""
    return thread is not None and thread.is_alive()


def holds(lock: threading.RLock | threading.Condition) -> bool:
    """True if the calling thread has taken the lock: a handler of a signal may run amid anything."""
    condition = lock if isinstance(lock, threading.Condition) else threading.Condition(lock)
    try:
        # Wakes nobody, and only who holds the lock may.
        condition.notify(0)
    except RuntimeError:
        return False
    return True


def started(name: str, target: Callable[[], None]) -> threading.Thread:
    """A thread that runs. RuntimeError: the system has none left."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread
