"""`fleetlog replay`: rebuild the warehouse of a data directory from its log, or verify it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from fleetlog_core.log.port import LogUnavailable, Partition
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import WarehouseUnavailable
from fleetlog_ingest.replay import TableSum, applied, checksums, compare, rebuild
from rich.console import Console


def replay_data(data: Path, verify: bool) -> int:
    """The exit code: 0 done or equal, 1 otherwise."""
    if not (data / "log" / "events.sqlite").is_file():
        print(f"fleetlog: there is no log in {data}; give its --data", file=sys.stderr)
        return 1
    try:
        return _verify(data) if verify else _rebuild(data)
    except (LogUnavailable, WarehouseUnavailable) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"fleetlog: {data} can't be replayed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _rebuild(data: Path) -> int:
    """Into a fresh directory that takes the old one's place when it is whole."""
    fresh, old = data / "warehouse.fresh", data / "warehouse.old"
    shutil.rmtree(fresh, ignore_errors=True)
    log = SqliteLog(data / "log" / "events.sqlite")
    try:
        _fold(log, data, fresh)
    finally:
        log.close()
    shutil.rmtree(old, ignore_errors=True)
    if (data / "warehouse").exists():
        (data / "warehouse").rename(old)
    fresh.rename(data / "warehouse")
    shutil.rmtree(old, ignore_errors=True)
    print("the tables are rebuilt from the log")
    return 0


def _verify(data: Path) -> int:
    """One process can open one directory at a time: first the one there is, then the one that the log gives."""
    log = SqliteLog(data / "log" / "events.sqlite")
    try:
        live = ChdbWarehouse(data / "warehouse")
        migrate(live)
        until = applied(log, live)
        waiting = sum(log.next_offset(partition) - offset for partition, offset in until.items())
        before = checksums(live)
        live.close()
        fresh = data / "warehouse.verify"
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            report = compare(before, _fold(log, data, fresh, until))
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    finally:
        log.close()
    for table, rows in report.rows.items():
        print(f"{table}\t{rows:,} rows")
    for difference in report.differences:
        print(f"fleetlog: {difference}", file=sys.stderr)
    if waiting:
        print(f"{waiting:,} records of the log are in no table yet, and were not compared: `fleetlog up` folds them")
    print("the tables are what the log says" if report.same else "the tables differ: `fleetlog replay` rebuilds them")
    return 0 if report.same else 1


def _fold(
    log: SqliteLog, data: Path, target: Path, until: Mapping[Partition, int] | None = None
) -> dict[str, TableSum]:
    warehouse = ChdbWarehouse(target)
    try:
        with Console(stderr=True).status("folding the log"):
            rebuild(log, warehouse, FolderStore(data / "objects"), until=until)
        return checksums(warehouse)
    finally:
        warehouse.close()
        Path(target.parent / f"{target.name}.lock").unlink(missing_ok=True)
