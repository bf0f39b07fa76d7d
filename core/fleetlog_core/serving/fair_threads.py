"""Threads that are shared by all who call: whoever asks for much waits behind the others, not they behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from fleetlog_core.rates.fair_queue import FairQueue
from fleetlog_core.rates.limiter import paying

Job = tuple[Future[Any], Callable[[], Any]]


class FairThreads(ThreadPoolExecutor):
    """See Executor. What is submitted is for the caller of the call under way."""

    def __init__(
        self,
        threads: int,
        name: str = "",
        share: int | None = None,
        places: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`share`: threads that work for one caller at the most; None = all of them. `places`: see FairQueue."""
        super().__init__(threads, name)
        self._jobs: FairQueue[Job] = FairQueue(share or threads, places)
        self._clock = clock
        self._most = threads
        self._turn = threading.Lock()
        self._working = 0
        """Threads that look for what is next, or are about to."""

    def callers(self) -> int:
        """Number of callers that it works for, or did just now."""
        with self._turn:
            return self._jobs.clients(self._clock())

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor."""
        future: Future[Any] = Future()
        with self._turn:
            self._jobs.put(paying(), (future, lambda: fn(*args, **kwargs)), self._clock())
            is_wanted = self._is_wanted()
        if is_wanted:
            # It may find that another one has the turn, and does that.
            self._begin()
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
                    self._jobs.done(client, self._clock())

    def _next(self) -> tuple[str, Job] | None:
        with self._turn:
            taken = self._jobs.take(self._clock())
            if taken is None:
                self._working -= 1
                return None
            # What one caller may have grows when others leave: threads that found nothing before have work then.
            is_wanted = self._jobs.may_take(self._clock()) and self._is_wanted()
        if is_wanted:
            with suppress(RuntimeError):  # no thread is begun any more: those that work do what waits
                self._begin()
        return taken

    def _is_wanted(self) -> bool:
        """True if one more thread is to look, which is counted then."""
        if self._working >= self._most:
            return False
        self._working += 1
        return True

    def _begin(self) -> None:
        try:
            super().submit(self._work)
        except BaseException:
            with self._turn:
                self._working -= 1
            raise


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
