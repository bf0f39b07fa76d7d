"""What stands in for executors and their futures in the code of the product."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple

from simulation.kernel import Fiber, Killed, kernel


class Result(Future[Any]):
    """A future of which threads of a world wait."""

    def result(self, timeout: float | None = None) -> Any:
        """See Future."""
        self._reach(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See Future."""
        self._reach(timeout)
        return super().exception(0)

    def _reach(self, timeout: float | None) -> None:
        one = kernel()
        fiber = one.fiber
        if self.done() or fiber is None:
            return
        self.add_done_callback(lambda done: one.wake(fiber))
        deadline = None if timeout is None else one.now + timeout
        while not self.done() and (deadline is None or one.now < deadline):
            one.wait(None if deadline is None else deadline - one.now)


class Executor:
    """See concurrent.futures.ThreadPoolExecutor."""

    def __init__(self, max_workers: int = 1, thread_name_prefix: str = "worker") -> None:
        self._most = max_workers
        self._name = thread_name_prefix
        self._work: deque[tuple[Result, Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = deque()
        self._busy = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Result:
        """See ThreadPoolExecutor."""
        done = Result()
        self._work.append((done, fn, args, kwargs))
        if self._busy < self._most:
            process = kernel().process
            if process is None or not process.alive:
                raise Killed
            self._busy += 1
            Fiber(process, self._run, self._name)
        return done

    def _run(self) -> None:
        while self._work:
            done, fn, args, kwargs = self._work.popleft()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                found = fn(*args, **kwargs)
            except Killed:
                raise
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(found)
        self._busy -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Its threads end when they have nothing to do."""


class Waited(NamedTuple):
    """See concurrent.futures.wait."""

    done: set[Future[Any]]
    not_done: set[Future[Any]]


def wait_for_futures(fs: Iterable[Future[Any]], timeout: float | None = None, return_when: str = "") -> Waited:
    """See concurrent.futures.wait; it waits for all."""
    one = kernel()
    deadline = None if timeout is None else one.now + timeout
    futures = list(fs)
    for future in futures:
        if isinstance(future, Result):
            future._reach(None if deadline is None else max(0.0, deadline - one.now))
    return Waited({one for one in futures if one.done()}, {one for one in futures if not one.done()})
