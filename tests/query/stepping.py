"""A writer that goes on one insert at a time, when it is told to: what others see between any two of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from fleetlog_core.warehouse.port import Answer, Column, Statement, Warehouse

from tests.warehouses import Wrapped

SECONDS = 60.0


class Stepped(Wrapped):
    """The warehouse of such a writer."""

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse)
        self._open = True
        self._paused, self._allowed = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def begin(self, write: Callable[[], object]) -> None:
        """Write, in a thread, up to the first insert."""

        def run() -> None:
            try:
                write()
            except BaseException as error:  # told by finish
                self._failure = error
            finally:
                self._open = True
                self._paused.release()

        self._open = False
        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert self._paused.acquire(timeout=SECONDS)

    def step(self) -> None:
        """Let it do one insert, and come to the next; nothing when it is done."""
        if not self._open:
            self._allowed.release()
            assert self._paused.acquire(timeout=SECONDS)

    def finish(self) -> None:
        """Let it do all of them."""
        while not self._open:
            self.step()
        if self._thread is not None:
            self._thread.join(SECONDS)
        if self._failure is not None:
            raise self._failure

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        if not self._open:
            self._paused.release()
            assert self._allowed.acquire(timeout=SECONDS)
        self._warehouse.insert(table, columns, token)

    def version(self, table: str) -> int | None:
        """See Warehouse."""
        return self._warehouse.version(table)

    def close(self) -> None:
        """See Warehouse."""


class Interrupted(Wrapped):
    """The warehouse of a reader to which something happens before each of its statements."""

    def __init__(self, warehouse: Warehouse, happens: Callable[[], None]) -> None:
        super().__init__(warehouse)
        self._happens = happens
        self.selects = 0

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        self._happens()
        self.selects += 1
        return self._warehouse.select(statement, timeout_seconds=timeout_seconds)

    def version(self, table: str) -> int | None:
        """See Warehouse."""
        return self._warehouse.version(table)

    def close(self) -> None:
        """See Warehouse."""
