"""The tables of a ClickHouse server before a materializer works on them: whole, of this version, and on disk."""

from __future__ import annotations

from fleetlog_core.warehouse.checkpoints import Checkpoints, loss
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest.materializer.loop import WarehouseBehind

from fleetlog_deploy.engines import Engines

_NOT_DURABLE = Statement(
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    " AND NOT create_table_query LIKE '%fsync_after_insert = %' AND match(name, '^[a-z_]+$') ORDER BY name"
)


def prepare(engines: Engines) -> None:
    """Check before anything is inserted, then migrate. WarehouseBehind when rows are lost; WarehouseUnavailable."""
    warehouse = engines.warehouse
    if not engines.has_checkpoints:
        migrate(warehouse)
        return
    # A statement makes the database when it is not there; a select says that it is missing.
    warehouse.execute(Statement("SELECT 1"))
    if reason := loss(warehouse, boot=""):
        raise WarehouseBehind(f"the warehouse lost rows: {reason}; nothing of it is served")
    migrate(warehouse)
    make_durable(warehouse)
    Checkpoints(warehouse, "", lambda: None).write()


def make_durable(warehouse: Warehouse) -> None:
    """From now on an insert into any of the tables returns when its rows are on the server's disk.

    Tables where an administrator set it, to whatever, are left as they are.
    """
    for table in warehouse.select(_NOT_DURABLE).texts("name"):
        settings = "fsync_after_insert = 1, fsync_part_directory = 1"
        warehouse.execute(Statement(f"ALTER TABLE {table} MODIFY SETTING {settings}"))
