"""An asyncio event loop of one process of a world: what is ready runs as an event of the kernel's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from simulation.executors import Executor
from simulation.kernel import Process


class Loop(asyncio.AbstractEventLoop):
    """As much of an event loop as the services use. Nothing in it waits for a lock."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._kernel = process.kernel
        self._ready: deque[asyncio.Handle] = deque()
        self._is_due = False
        self._tasks: dict[asyncio.Task[Any], None] = {}
        process.at_kill.append(self._let_go)

    def time(self) -> float:
        """Seconds of the world."""
        return self._kernel.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """See AbstractEventLoop."""
        handle = asyncio.Handle(callback, args, self, context)
        self._add(handle)
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """See AbstractEventLoop."""
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """See AbstractEventLoop."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """See AbstractEventLoop."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._kernel.after(max(0.0, when - self.time()), lambda: self._add(handle), self._process)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """See BaseEventLoop: what is cancelled is passed over when its time comes."""

    def _add(self, handle: asyncio.Handle) -> None:
        self._ready.append(handle)
        if not self._is_due:
            self._is_due = True
            self._kernel.after(self._kernel.lag(), self._run, self._process)

    def _run(self) -> None:
        """Run what was ready when this began."""
        self._is_due = False
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle.cancelled() and self._process.alive:
                    handle._run()
        finally:
            asyncio._set_running_loop(None)
        if self._ready and not self._is_due:
            self._is_due = True
            self._kernel.after(self._kernel.lag(), self._run, self._process)

    def _let_go(self) -> None:
        """End the coroutines of a dead process, which would end some time later, in the middle of another world."""
        self._ready.clear()
        for task in self._tasks:
            # It is dead, and not destroyed by mistake.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with suppress(RuntimeError):
                task.get_coro().close()
        self._tasks.clear()

    def create_future(self) -> asyncio.Future[Any]:
        """See AbstractEventLoop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:
        """See AbstractEventLoop."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """See AbstractEventLoop."""
        if not isinstance(executor, Executor):
            raise TypeError("an executor of the world is needed")
        return asyncio.wrap_future(executor.submit(func, *args), loop=self)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A callback failed that nobody waits for: the world ends. Of dead processes nothing is told."""
        error = context.get("exception")
        if self._process.alive and error is not None and not isinstance(error, asyncio.CancelledError):
            self._kernel.broke(f"{self._process.name}: {context.get('message')}: {error!r}", error)

    def get_debug(self) -> bool:
        """See AbstractEventLoop."""
        return False

    def is_running(self) -> bool:
        """See AbstractEventLoop."""
        return self._process.alive

    def is_closed(self) -> bool:
        """See AbstractEventLoop."""
        return False
