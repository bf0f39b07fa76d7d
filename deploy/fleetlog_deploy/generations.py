"""The next generation of a ClickHouse server's tables, when the current one lost rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fleetlog_core.log.port import EventLog, Partition
from fleetlog_core.rebuilds import begin_rebuild
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.checkpoints import Checkpoints
from fleetlog_core.warehouse.generations import Generations, complete, supersede
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest.losses import must_have_all

diagnostics = logging.getLogger(__name__)
_NOT_DURABLE = Statement(
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    " AND NOT create_table_query LIKE '%fsync_after_insert = %' AND match(name, '^[a-z_]+$') ORDER BY name"
)


def group_of(group: str, number: int) -> str:
    """Consumer group that folds the generation: each begins at the log's begin."""
    return group if number == 1 else f"{group}-g{number}"


def begin_next(generations: Generations, number: int, log: EventLog, reason: str, telemetry: Telemetry) -> None:
    """Make the generation after `number`, which lost rows; what another began is finished.

    LogLost when the log can't bring the rows back: then nothing is touched. LogUnavailable, WarehouseUnavailable.
    """
    until = must_have_all(log, reason)
    telemetry.rebuilds.inc()
    diagnostics.error(
        "the warehouse lost rows: %s. It is rebuilt from the log into the database %s, %s records; until they are in,"
        " reads answer that it is being rebuilt. The database %s is not used any more and is kept: when you need"
        " nothing of it, DROP DATABASE %s frees its space",
        reason,
        generations.database(number + 1),
        f"{sum(until.values()):,}",
        generations.database(number),
        generations.database(number),
    )
    old = generations.opened(number)
    try:
        supersede(old)
    finally:
        old.close()
    fresh = generations.opened(number + 1)
    try:
        _make(fresh, until)
    finally:
        fresh.close()


def _make(fresh: Warehouse, until: Mapping[Partition, int]) -> None:
    """Each step may have been done before, by a process that was killed or by one that is at it too."""
    migrate(fresh)
    make_durable(fresh)
    begin_rebuild(fresh, until)
    Checkpoints(fresh, "", lambda: None).write()
    complete(fresh)


def make_durable(warehouse: Warehouse) -> None:
    """From now on an insert into any of the tables returns when its rows are on the server's disk.

    Tables where an administrator set it, to whatever, are left as they are.
    """
    for table in warehouse.select(_NOT_DURABLE).texts("name"):
        settings = "fsync_after_insert = 1, fsync_part_directory = 1"
        warehouse.execute(Statement(f"ALTER TABLE {table} MODIFY SETTING {settings}"))
