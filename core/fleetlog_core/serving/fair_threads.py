"""Threads that are shared by all who call: whoever asks for much waits behind the others, not they behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fleetlog_core.rates.fair_queue import FairQueue
from fleetlog_core.rates.limiter import paying

Job = tuple[Future[Any], Callable[[], Any]]


class FairThreads(ThreadPoolExecutor):
    """See Executor. What is submitted is for the caller of the call under way."""

    def __init__(self, threads: int, name: str = "", share: int | None = None) -> None:
        """`share`: threads that work for one caller at the most; None = all of them."""
        super().__init__(threads, name)
        self._jobs: FairQueue[Job] = FairQueue(share or threads)
        self._turn = threading.Lock()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor."""
        future: Future[Any] = Future()
        with self._turn:
            self._jobs.put(paying(), (future, lambda: fn(*args, **kwargs)))
        # A thread that comes for it may find that another one has the turn, and does that.
        super().submit(self._work)
        return future

    def _work(self) -> None:
        """Do what is next, as long as something is."""
        while (taken := self._next()) is not None:
            client, job = taken
            del taken
            try:
                _do(*job)
            finally:
                del job
                with self._turn:
                    self._jobs.done(client)

    def _next(self) -> tuple[str, Job] | None:
        with self._turn:
            return self._jobs.take()


def _do(future: Future[Any], call: Callable[[], Any]) -> None:
    """Call, and tell the future what came of it, unless nobody waits for it any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # raised again where it is waited for
        future.set_exception(error)
        # Its traceback has this frame: that would be a circle.
        del future
    else:
        future.set_result(result)
