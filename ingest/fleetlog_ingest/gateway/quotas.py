"""What namespaces store, as far as quotas ask for it: runs, and bytes of files.

Use is read from the tables every few seconds, and what comes in between is added; several gateways may go beyond a
quota by what they take in that time. While the tables don't answer, what was read last holds; else there is room.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from fleetlog_core.errors import ResourceExhausted, shown
from fleetlog_core.rates.limiter import quotas
from fleetlog_core.rules.names import DEFAULT_NAMESPACE
from fleetlog_core.warehouse.port import Statement, TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable
from fleetlog_core.warehouse.schema import PURGED

diagnostics = logging.getLogger(__name__)
STORED_RUNS, STORED_BYTES = "STORED_RUNS", "STORED_BYTES"
READ_SECONDS = 5.0
"""Age of what is known of a namespace, after which it is read again."""
NAMESPACES = 10_000
"""Namespaces whose use is kept."""
TIMEOUT_SECONDS = 10.0
_RUNS = f"SELECT count() AS used FROM runs FINAL WHERE namespace = {{namespace:String}} AND deleted != {PURGED}"
# A file is gone when it, or a folder that it is in, was deleted after it was logged.
_BYTES = f"""
SELECT sum(if(arrayExists(d -> ver < d.2 AND (d.1 = '' OR d.1 = path OR startsWith(path, concat(d.1, '/'))), gone),
    0, size_bytes)) AS used
FROM (
    SELECT run_id, path, size_bytes, ver FROM artifacts FINAL WHERE namespace = {{namespace:String}}
    AND run_id NOT IN (SELECT run_id FROM runs FINAL WHERE namespace = {{namespace:String}} AND deleted = {PURGED})
) AS files
LEFT JOIN (
    SELECT run_id, groupArray((path, ver)) AS gone FROM artifact_deletions FINAL
    WHERE namespace = {{namespace:String}} GROUP BY run_id
) AS deletions USING run_id
"""


@dataclass(slots=True)
class _Use:
    """What a namespace stores. `read_at`: seconds of the clock."""

    runs: int = 0
    artifact_bytes: int = 0
    read_at: float = float("-inf")


class StoredUse:
    """Used from one event loop, but for `admit_bytes`. Quotas are those of the call under way."""

    def __init__(self, warehouse: Warehouse, executor: Executor, clock: Callable[[], float] = time.monotonic) -> None:
        self._warehouse = warehouse
        self._executor = executor
        self._clock = clock
        self._uses: dict[str, _Use] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def know(self, namespace: str) -> None:
        """Learn what the namespace stores, when a quota asks for it. Before the methods below."""
        asked, namespace = quotas(), namespace or DEFAULT_NAMESPACE
        if not asked.runs and not asked.artifact_bytes:
            return
        use = self._uses.get(namespace)
        if use is not None and self._clock() - use.read_at < READ_SECONDS:
            return
        reading = self._reading.get(namespace)
        if reading is None:
            reading = self._reading[namespace] = asyncio.create_task(self._read(namespace))
        await asyncio.shield(reading)

    async def admit_runs(self, namespace: str, count: int) -> None:
        """Count runs that are made. ResourceExhausted STORED_RUNS."""
        await self.know(namespace)
        if self.has_no_room(namespace, count):
            raise self.no_room(namespace)
        self._use(namespace).runs += count

    def has_no_room(self, namespace: str, count: int = 1) -> bool:
        """True if so many runs more would be too many."""
        most = quotas().runs
        return bool(most and count) and self._use(namespace).runs + count > most

    def no_room(self, namespace: str) -> ResourceExhausted:
        """The error for a run too many."""
        words = "runs; purge some that are deleted"
        return _over(STORED_RUNS, namespace, self._use(namespace).runs, quotas().runs, "namespace_stored_runs", words)

    def admit_bytes(self, namespace: str, size: int, *, counts: bool = True) -> None:
        """A file of the size. ResourceExhausted STORED_BYTES. `counts`: it is logged now."""
        most, use = quotas().artifact_bytes, self._use(namespace)
        if not most:
            return
        if use.artifact_bytes + size > most:
            words = f"bytes of files, and this one has {size:,}; delete some"
            raise _over(STORED_BYTES, namespace, use.artifact_bytes, most, "namespace_artifact_bytes", words)
        if counts:
            use.artifact_bytes += size

    def _use(self, namespace: str) -> _Use:
        return self._uses.setdefault(namespace or DEFAULT_NAMESPACE, _Use())

    async def _read(self, namespace: str) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._executor, self._found, namespace)
        except (WarehouseUnavailable, WarehouseRefused, TimedOut) as error:
            diagnostics.warning("what a namespace stores can't be read now: %s", error)
            found = self._use(namespace)
        finally:
            self._reading.pop(namespace, None)
        if len(self._uses) >= NAMESPACES:
            self._uses.clear()
        self._uses[namespace] = _Use(found.runs, found.artifact_bytes, self._clock())

    def _found(self, namespace: str) -> _Use:
        used = [
            int(
                self._warehouse.select(
                    Statement(sql, {"namespace": namespace}), timeout_seconds=TIMEOUT_SECONDS
                ).array("used")[0]
            )
            for sql in (_RUNS, _BYTES)
        ]  # fmt: skip
        return _Use(*used)


def _over(reason: str, namespace: str, use: int, limit: int, setting: str, words: str) -> ResourceExhausted:
    return ResourceExhausted(
        reason,
        f"the namespace {shown(namespace or DEFAULT_NAMESPACE)} has {use:,} of {limit:,} {words}, or ask for a higher"
        f" limits.{setting}",
        metadata={"use": str(use), "limit": str(limit)},
    )
