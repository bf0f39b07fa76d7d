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

from fleetlog_core.decisions import Decisions
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
"""Seconds between two looks where `poke` tells of batches: for the patient, and for all where it tells of every batch.

A look costs as much CPU as a tenth of a small batch: those who wait for one would hold it up."""
APPLIED = Statement("SELECT topic, part, max(next_offset) AS upto FROM applied GROUP BY topic, part")
"""What is applied, for `offsets_of`."""


def offsets_of(answer: Answer) -> dict[Partition, int]:
    """The next offset of each partition of which there is any, of an answer with topic, part and upto."""
    places = zip(answer.texts("topic"), answer.array("part").tolist(), answer.array("upto").tolist(), strict=True)
    return {Partition(topic, int(part)): int(offset) for topic, part, offset in places}


class AppliedWatch:
    """Waits for positions. Used from one event loop; `poke` from any thread.

    `readers` is told who waits, who follows, and who reads what is there. `alone`: all batches are applied in this
    process, which pokes for each and says how far it came.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        poll_seconds: float = POLL_SECONDS,
        readers: Readers | None = None,
        *,
        alone: bool = False,
    ) -> None:
        self.decisions = Decisions()
        """Told of what is decided in this process."""
        self._warehouse = warehouse
        self._alone = alone
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
        self._has_looked = False
        self._hearing: set[asyncio.Task[None]] = set()

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

    def poke(self, partition: Partition | None = None, next_offset: int = 0) -> None:
        """Something was applied: look now. Where all is applied in this process, `next_offset` saves the look."""
        self._told = True
        loop, poked = self._loop, self._poked
        if loop is None or poked is None or loop.is_closed():
            return
        if self._alone and partition is not None:
            loop.call_soon_threadsafe(self._hear, {partition: next_offset})
        else:
            loop.call_soon_threadsafe(poked.set)

    def _hear(self, known: Mapping[Partition, int]) -> None:
        task = asyncio.ensure_future(self._know(known))
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)

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
        elif self._waiting == 1 and self._poked is not None and not self._hears_all:
            # The pause between two looks may be a long one, for the patient.
            self._poked.set()

    @property
    def _hears_all(self) -> bool:
        """True once everything that is applied is known without a look: `poke` tells of what came since the first."""
        return self._alone and self._told and self._has_looked

    async def _poll(self) -> None:
        loop, poked = asyncio.get_running_loop(), self._poked
        if poked is None:
            return
        failing = False
        hears_all = self._hears_all
        while self._waiting or self._patient:
            poked.clear()
            begun = time.monotonic()
            try:
                known = self._known if hears_all else await loop.run_in_executor(self._executor, self._look)
                failing, hears_all, self._has_looked = False, False, True
            except (WarehouseUnavailable, TimedOut, WarehouseRefused) as error:
                # Whoever waits has a deadline; a poller that ended here would let them all run into it.
                if not failing:
                    diagnostics.warning("how far the warehouse has come can't be read, asking on: %s", error)
                known, failing = self._known, True
            await self._know(known)
            # As long a pause as the look took, at least: waiting must not eat the machine it waits for.
            patience = TOLD_SECONDS if self._told else max(PATIENT_SECONDS, self._poll_seconds)
            awaited = self._waiting and not self._hears_all
            pause = max(self._poll_seconds if awaited else patience, time.monotonic() - begun)
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
