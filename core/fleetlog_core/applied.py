"""How far the warehouse has come, and waiting for it.

The table `applied` is written last in every batch: what it says is there is there. It is looked at every few
milliseconds while somebody waits for a position, now and then while somebody waits for anything new, once for all that
wait, and not at all otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from fleetlog_core.errors import DeadlineExceeded
from fleetlog_core.log.port import Partition
from fleetlog_core.position import covers, merge
from fleetlog_core.readers import Readers
from fleetlog_core.warehouse.port import Answer, Statement, TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable

diagnostics = logging.getLogger(__name__)
POLL_SECONDS = 0.004
PATIENT_SECONDS = 0.05
"""Seconds between two looks for readers who wait for anything new, which may take hours."""
TOLD_SECONDS = 1.0
"""Seconds between two looks where `poke` tells of every batch."""
APPLIED = Statement("SELECT topic, part, max(next_offset) AS upto FROM applied GROUP BY topic, part")
"""What is applied, for `offsets_of`."""


def offsets_of(answer: Answer) -> dict[Partition, int]:
    """The next offset of each partition of which there is any, of an answer with topic, part and upto."""
    places = zip(answer.texts("topic"), answer.array("part").tolist(), answer.array("upto").tolist(), strict=True)
    return {Partition(topic, int(part)): int(offset) for topic, part, offset in places}


class AppliedWatch:
    """Waits for positions. Used from one event loop; `poke` from any thread.

    `readers` is told who waits, who follows, and who reads what is there.
    """

    def __init__(
        self, warehouse: Warehouse, poll_seconds: float = POLL_SECONDS, readers: Readers | None = None
    ) -> None:
        self._warehouse = warehouse
        self._readers = readers or Readers()
        self._poll_seconds = poll_seconds
        self._known: dict[Partition, int] = {}
        self._waiting = 0
        self._patient = 0
        self._poller: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._poked: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._executor = ThreadPoolExecutor(1, "applied")
        self._told = False

    async def wait(self, position: Mapping[Partition, int], timeout_seconds: float) -> None:
        """Return when reads see everything before the position. DeadlineExceeded POSITION_NOT_REACHED."""
        if covers(self._known, position):
            self._readers.looked()
            return
        self._waiting += 1
        try:
            self._start()
            with self._readers.waits():
                async with asyncio.timeout(timeout_seconds), self._changed:
                    await self._changed.wait_for(lambda: covers(self._known, position))
        except TimeoutError:
            raise DeadlineExceeded(
                "POSITION_NOT_REACHED",
                f"what was written can't be read yet after {timeout_seconds:.1f} s; it is safe in the log: try again",
            ) from None
        finally:
            self._waiting -= 1

    @property
    def known(self) -> dict[Partition, int]:
        """A position that reads see everything before, without a look."""
        return self._known

    async def now(self) -> dict[Partition, int]:
        """A position that reads see everything before. WarehouseUnavailable, TimedOut."""
        known = await asyncio.get_running_loop().run_in_executor(self._executor, self._look)
        await self._know(known)
        return self._known

    async def moved(self, beyond: Mapping[Partition, int], timeout_seconds: float | None) -> dict[Partition, int]:
        """A position that reads see everything before, once it is beyond another or when the time ran out."""
        self._patient += 1
        try:
            self._start()
            with self._readers.follows():
                async with asyncio.timeout(timeout_seconds), self._changed:
                    await self._changed.wait_for(lambda: not covers(beyond, self._known))
        except TimeoutError:
            return self._known
        finally:
            self._patient -= 1
        return self._known

    def poke(self) -> None:
        """Look now: something was applied."""
        self._told = True
        loop, poked = self._loop, self._poked
        if loop is not None and poked is not None and not loop.is_closed():
            loop.call_soon_threadsafe(poked.set)

    async def close(self) -> None:
        """Stop looking."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
        self._executor.shutdown()

    def _start(self) -> None:
        if self._poller is None or self._poller.done():
            self._loop = asyncio.get_running_loop()
            self._poked = self._poked or asyncio.Event()
            self._poller = asyncio.create_task(self._poll())
        elif self._waiting == 1 and self._poked is not None:
            # The pause between two looks may be a long one, for the patient.
            self._poked.set()

    async def _poll(self) -> None:
        loop, poked = asyncio.get_running_loop(), self._poked
        if poked is None:
            return
        failing = False
        while self._waiting or self._patient:
            poked.clear()
            begun = time.monotonic()
            try:
                known = await loop.run_in_executor(self._executor, self._look)
                failing = False
            except (WarehouseUnavailable, TimedOut, WarehouseRefused) as error:
                # Whoever waits has a deadline; a poller that ended here would let them all run into it.
                if not failing:
                    diagnostics.warning("how far the warehouse has come can't be read, asking on: %s", error)
                known, failing = self._known, True
            await self._know(known)
            # As long a pause as the look took, at least: waiting must not eat the machine it waits for.
            patience = TOLD_SECONDS if self._told else max(PATIENT_SECONDS, self._poll_seconds)
            pause = max(self._poll_seconds if self._waiting else patience, time.monotonic() - begun)
            try:
                async with asyncio.timeout(pause):
                    await poked.wait()
            except TimeoutError:
                continue

    async def _know(self, known: Mapping[Partition, int]) -> None:
        if covers(self._known, known):
            return
        self._known = merge(self._known, known)
        async with self._changed:
            self._changed.notify_all()

    def _look(self) -> dict[Partition, int]:
        return offsets_of(self._warehouse.select(APPLIED))
