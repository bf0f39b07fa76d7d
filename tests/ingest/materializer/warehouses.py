"""A chDB warehouse that fails where it is told to, and how a log is folded into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import CONTROL, EVENTS, EventLog, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Column, Warehouse
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer

from tests.empty_warehouses import copy_empty_warehouse
from tests.warehouses import Wrapped


class Crash(Exception):
    """The process died here."""


class Watched(Wrapped):
    """The warehouse, with a call before and after each insert: (number from 0, table, columns, whether after)."""

    def __init__(
        self, warehouse: Warehouse, watch: Callable[[int, str, Mapping[str, Column], bool], None] | None = None
    ) -> None:
        super().__init__(warehouse)
        self._watch = watch
        self.inserts = 0

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        number = self.inserts
        self.inserts += 1
        if self._watch is not None:
            self._watch(number, table, columns, False)
        self._warehouse.insert(table, columns, token)
        if self._watch is not None:
            self._watch(number, table, columns, True)


def opened(path: Path) -> ChdbWarehouse:
    copy_empty_warehouse(path / "warehouse")
    warehouse = ChdbWarehouse(path / "warehouse")
    migrate(warehouse)
    return warehouse


def drain(
    log: EventLog, warehouse: Warehouse, path: Path, policy: BatchPolicy | None = None, limits: RunLimits | None = None
) -> None:
    """Run a new materializer until everything in the log is applied."""
    ends = {
        Partition(topic, number): log.next_offset(Partition(topic, number))
        for topic in (CONTROL, EVENTS)
        for number in range(log.partitions(topic))
    }

    def finished() -> bool:
        found = replay.applied(log, warehouse)
        return all(found[partition] >= end for partition, end in ends.items())

    def stop_at_the_end(partition: Partition, next_offset: int) -> None:
        if finished():
            materializer.stop()

    materializer = Materializer(
        log, warehouse, FolderStore(path / "objects"), on_applied=stop_at_the_end, policy=policy, limits=limits
    )
    if not finished():
        materializer.run()


def rebuilt(
    log: EventLog, path: Path, policy: BatchPolicy | None = None, limits: RunLimits | None = None
) -> dict[str, replay.TableSum]:
    """Checksums of an empty warehouse that the log was folded into."""
    copy_empty_warehouse(path / "warehouse")
    warehouse = ChdbWarehouse(path / "warehouse")
    replay.rebuild(log, warehouse, FolderStore(path / "objects"), policy=policy, limits=limits)
    try:
        return replay.checksums(warehouse)
    finally:
        warehouse.close()
