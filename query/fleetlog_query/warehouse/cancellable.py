"""Selects that end in the warehouse when the caller they are for goes away.

A thread that waits for the warehouse can't be interrupted. So each piece of work has a mark, which its statements
carry, and the warehouse is told to end the statements that carry it. They all share the work's deadline.

Statements whose patterns cost much (see pattern_statement) run a few at a time: the rest of the engine is for others.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import replace
from typing import TypeVar

from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import (
    Answer,
    Column,
    Statement,
    TimedOut,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)

from fleetlog_query.warehouse.pattern_statement import PatternStatement, is_costly

AGAIN_SECONDS = 0.05
"""Seconds between two attempts to end a statement: the first may come before the warehouse has begun it."""
HELPERS = 4
"""Threads for what is selected while a caller's own thread goes on."""
COSTLY_STATEMENTS = 2
"""Statements with patterns that cost much, at a time."""
DEFAULT_SECONDS = 30.0
LEAST_SECONDS = 0.001
"""Seconds of a statement whose time is up: it ends as one that takes too long does."""
_KILL = "KILL QUERY WHERE Settings['log_comment'] = {mark:String} ASYNC"

Result = TypeVar("Result")


class Cancelled(Exception):
    """The caller has gone; nobody waits for the answer."""


class Costly(Exception):
    """The work has a statement that costs much: it is to be done again where such work waits for its turn."""


class Work:
    """One piece of blocking work for one caller, which waits so many seconds. `costly`: it may wait until a statement
    that costs much may run.
    """

    def __init__(self, seconds: float, *, costly: bool = True) -> None:
        self.costly = costly
        self.deadline = time.monotonic() + seconds
        self.mark = f"work {secrets.token_hex(16)}"
        self.begun = False
        self.cancelled = threading.Event()
        self.ended = threading.Event()


_WORK: ContextVar[Work | None] = ContextVar("work", default=None)


def seconds_left() -> float:
    """Seconds until the deadline of the work that this thread does; those of a statement outside of any."""
    work = _WORK.get()
    return DEFAULT_SECONDS if work is None else max(LEAST_SECONDS, work.deadline - time.monotonic())


class CancellableWarehouse:
    """The warehouse, for readers. What they select within `run` ends with `cancel`, and at the work's deadline."""

    def __init__(self, warehouse: Warehouse, threads: Callable[[], int] = lambda: 0) -> None:
        """`threads`: maximum of one wide statement as things are now; 0 = every core."""
        self._warehouse = warehouse
        self._threads = threads
        self._killer = ThreadPoolExecutor(1, "cancelling")
        self._helpers = ContextThreads(HELPERS, "beside")
        self._costly = threading.BoundedSemaphore(COSTLY_STATEMENTS)

    def run(self, work: Work, function: Callable[[], Result]) -> Result:
        """Call the function in this thread. Cancelled, or whatever it raises."""
        token = _WORK.set(work)
        work.begun = True
        try:
            return function()
        finally:
            _WORK.reset(token)
            work.ended.set()

    def beside(self, function: Callable[[], Result]) -> Future[Result]:
        """Call the function in another thread, for the work of this one."""
        return self._helpers.submit(function)

    def cancel(self, work: Work) -> None:
        """End the work soon. From any thread; does not wait."""
        work.cancelled.set()
        if work.begun and not work.ended.is_set():
            self._killer.submit(self._kill, work)

    def select(self, statement: Statement, *, timeout_seconds: float | None = None) -> Answer:
        """See Warehouse; without seconds, those that are left. Cancelled; Costly for work that may not wait."""
        timeout_seconds = seconds_left() if timeout_seconds is None else timeout_seconds
        if not isinstance(statement, PatternStatement):
            return self._select(statement, timeout_seconds)
        deadline = time.monotonic() + timeout_seconds
        bounded = statement.bounded(self._select(statement.longest(), timeout_seconds))
        if not is_costly(bounded):
            return self._select(bounded, deadline - time.monotonic())
        work = _WORK.get()
        if work is not None and not work.costly:
            raise Costly
        if not self._costly.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TimedOut("other statements that cost much ran for that long")
        try:
            return self._select(bounded, deadline - time.monotonic())
        finally:
            self._costly.release()

    def _select(self, statement: Statement, timeout_seconds: float) -> Answer:
        work = _WORK.get()
        if statement.wide and (threads := self._threads()):
            statement = replace(statement, threads=threads)
        if work is None:
            return self._warehouse.select(statement, timeout_seconds=timeout_seconds)
        if work.cancelled.is_set():
            raise Cancelled
        return self._warehouse.select(replace(statement, mark=work.mark), timeout_seconds=timeout_seconds)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        self._warehouse.insert(table, columns, token)

    def execute(self, statement: Statement) -> None:
        """See Warehouse."""
        self._warehouse.execute(statement)

    def version(self, table: str) -> int | None:
        """See Warehouse."""
        return self._warehouse.version(table)

    def close(self) -> None:
        """Let the thread go; the warehouse stays open."""
        self._killer.shutdown()
        self._helpers.shutdown()

    def _kill(self, work: Work) -> None:
        while not work.ended.is_set():
            try:
                self._warehouse.execute(Statement(_KILL, {"mark": work.mark}))
            except (WarehouseUnavailable, WarehouseRefused):
                # Its own deadline ends it, then.
                return
            work.ended.wait(AGAIN_SECONDS)
