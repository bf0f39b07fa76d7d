"""Threads that are there before they are needed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor


def start_threads(executor: ThreadPoolExecutor, count: int) -> None:
    """Start `count` threads of an executor that has none yet and may have as many. RuntimeError when there are no more.

    Later there may be none left: work that finds no thread fails and stays in the queue, and is done some time after
    it was told to have failed.
    """
    together = threading.Barrier(count)
    for started in [executor.submit(together.wait) for _ in range(count)]:
        started.result()
