"""A data directory's warehouse at the start: whole, or empty and to be folded anew from the log.

A loss is noticed before anything is served or inserted. What is left of the tables is set aside, an empty warehouse
that knows how far the log has to be folded takes its place, and the materializer begins anew. Until it is there,
reads answer that the tables are being rebuilt; what is logged meanwhile is acknowledged as ever. A process that is
killed on the way finds either the old tables, and begins again, or the new ones, and goes on.
"""

from __future__ import annotations

import logging
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from fleetlog_core.log.port import Partition
from fleetlog_core.rebuilds import begin_rebuild
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.checkpoints import Checkpoints
from fleetlog_core.warehouse.durability import Disk
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_ingest.losses import committed, loss_of, must_have_all

from fleetlog_deploy.engines import Engines

diagnostics = logging.getLogger(__name__)


def open_whole(engines: Engines, disk: Disk, group: str, telemetry: Telemetry) -> None:
    """Open the log and the warehouse of a data directory, and begin a rebuild where rows are lost.

    LogLost when the log can't bring them back. LogUnavailable, WarehouseUnavailable.
    """
    path, fresh, aside = disk.path, _beside(disk.path, "fresh"), _beside(disk.path, "lost")
    # First: whoever else has the directory is named by its log.
    log = engines.log
    if not path.exists() and fresh.exists():
        # Killed between the two renames.
        fresh.rename(path)
    commits = committed(log, group)
    reason = loss_of(log, engines.warehouse, commits, disk.boot)
    if reason:
        until = must_have_all(log, reason)
        told = f"the warehouse lost rows: {reason}. It is rebuilt from the log, {_records(until)}"
        diagnostics.error("%s", told)
        print(f"fleetlog: {told}", file=sys.stderr, flush=True)
        telemetry.rebuilds.inc()
        engines.close_warehouse()
        _make(fresh, until)
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        fresh.rename(path)
    if aside.exists():
        # Not a daemon: a server that is stopped before leaves nothing of it on the disk.
        threading.Thread(target=shutil.rmtree, args=(aside, True), name="fleetlog-remove-lost").start()
    migrate(engines.warehouse)
    # What comes now is not to be taken for what an earlier start of the machine may have lost.
    Checkpoints(engines.warehouse, disk.boot, disk.sync).write()


def _make(fresh: Path, until: Mapping[Partition, int]) -> None:
    """An empty warehouse on disk that knows how far it has to come."""
    from fleetlog_core.warehouse.chdb import ChdbWarehouse

    shutil.rmtree(fresh, ignore_errors=True)
    warehouse = ChdbWarehouse(fresh)
    try:
        migrate(warehouse)
        begin_rebuild(warehouse, until)
        disk = Disk(fresh)
        Checkpoints(warehouse, disk.boot, disk.sync).write()
        disk.sync()
    finally:
        warehouse.close()
        fresh.with_name(f"{fresh.name}.lock").unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _records(until: Mapping[Partition, int]) -> str:
    return f"{sum(until.values()):,} records; until they are in, reads answer that it is being rebuilt"
