"""What a gateway knows of the runs that are written to through it: who asks at the same time is answered by one read.

A run that is deleted while streams are open to it is noticed without a read for each frame: runs that are written to
are looked at again every few seconds, all that are due in one statement.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

from fleetlog_core.ids import milliseconds_of
from fleetlog_core.warehouse.port import TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable

from fleetlog_ingest.gateway.runs import RunKey, RunStatus, run_statuses

diagnostics = logging.getLogger(__name__)
AGAIN_SECONDS = 5.0
"""Age of what is known of a run that is written to, after which it is looked at again."""
GATHER_SECONDS = 1.0
"""How long runs that are due are gathered into one statement."""
AGAIN_TIMEOUT_SECONDS = 5.0
FIRST_TIMEOUT_SECONDS = 30.0
RUNS_PER_LOOK = 1_000
DELETED_RUNS = 10_000
"""Deleted runs that are remembered; beyond that the oldest is looked up again before it is refused anything."""
NEW_MILLIS = 60_000
"""Age of an id, by its own time, up to which a run is taken for new if it was not seen here."""
NEW_RUNS = 100_000
"""Ids of new runs after which older ones are forgotten; up to twice as many are kept."""

Found = RunStatus | Exception | None


class RunWatch:
    """Looks runs up. Used from one event loop."""

    def __init__(
        self,
        warehouse: Warehouse,
        executor: Executor,
        again_seconds: float = AGAIN_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.again_seconds = again_seconds
        self._gather_seconds = min(GATHER_SECONDS, again_seconds / 5)
        self._warehouse = warehouse
        self._executor = executor
        self._clock = clock
        self._asked: dict[RunKey, asyncio.Future[Found]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._due: set[RunKey] = set()
        self._again: asyncio.Task[None] | None = None
        self._stopped = False
        self._deleted: dict[RunKey, None] = {}
        self._seen: set[RunKey] = set()
        self._seen_before: set[RunKey] = set()

    def is_new(self, key: RunKey) -> bool:
        """True if the run's id was made just now and nobody opened it here before: then there is nothing to look up.

        Through another gateway it may have been opened, and ended, within the minute; that is not noticed.
        """
        if key in self._seen or key in self._seen_before:
            return False
        self._seen.add(key)
        if len(self._seen) >= NEW_RUNS:
            self._seen_before, self._seen = self._seen, set()
        run_id = key[1]
        age = self._clock() * 1000 - milliseconds_of(run_id)
        return run_id[6] >> 4 == 7 and abs(age) < NEW_MILLIS

    def ask(self, key: RunKey) -> asyncio.Future[Found]:
        """Begin to look the run up. The future is to be read by `look`; it never fails."""
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return asked

    async def look(self, key: RunKey, asked: asyncio.Future[Found] | None = None) -> RunStatus | None:
        """The run as it is now, or as `asked` found it; None when it is not there. WarehouseUnavailable, TimedOut."""
        found = await asyncio.shield(asked or self.ask(key))
        if isinstance(found, Exception):
            raise found
        self._note(key, found)
        return found

    def look_again(self, key: RunKey) -> None:
        """The run is written to: look at it again soon, beside other work."""
        if self._stopped:
            return
        self._due.add(key)
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._look_again())

    def was_deleted(self, key: RunKey) -> bool:
        """True if the run was deleted when it was looked at last."""
        return key in self._deleted

    def stop(self) -> None:
        """Look at nothing again from now on; who asks is answered."""
        self._stopped = True
        if self._again is not None:
            self._again.cancel()

    async def _ask(self) -> None:
        while self._asked:
            keys = list(self._asked)[:RUNS_PER_LOOK]
            asked = {key: self._asked.pop(key) for key in keys}
            error: Exception | None = None
            found: dict[RunKey, RunStatus] = {}
            try:
                found = await self._statuses(keys, FIRST_TIMEOUT_SECONDS)
            except Exception as failed:  # handed to all who asked
                error = failed
            for key, future in asked.items():
                if not future.done():
                    future.set_result(error or found.get(key))

    async def _look_again(self) -> None:
        while self._due:
            await asyncio.sleep(self._gather_seconds)
            keys = list(self._due)
            self._due.clear()
            try:
                found = await self._statuses(keys, AGAIN_TIMEOUT_SECONDS)
            except (WarehouseUnavailable, TimedOut, WarehouseRefused) as error:
                # The log takes events meanwhile; runs that are still written to come again.
                diagnostics.warning("runs that are written to can't be looked at, asking on: %s", error)
                continue
            for key in keys:
                self._note(key, found.get(key))

    async def _statuses(self, keys: list[RunKey], timeout_seconds: float) -> dict[RunKey, RunStatus]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, run_statuses, self._warehouse, keys, timeout_seconds)

    def _note(self, key: RunKey, status: RunStatus | None) -> None:
        if status is None or not status.deleted:
            self._deleted.pop(key, None)
            return
        self._deleted[key] = None
        if len(self._deleted) > DELETED_RUNS:
            del self._deleted[next(iter(self._deleted))]
