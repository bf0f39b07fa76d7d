"""Work for other threads that is done before anything else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class AtOnce(Executor):
    """In the thread that asks."""

    def __init__(self, workers: int, name: str) -> None:
        """See ContextThreads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done
