"""The tables of a ClickHouse server before a materializer works on them: whole, of this version, and on disk."""

from __future__ import annotations

from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.checkpoints import Checkpoints, PartsLost
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement
from fleetlog_ingest.losses import committed_by_members, loss_of

from fleetlog_deploy.engines import Engines
from fleetlog_deploy.generations import begin_next, group_of, make_durable


def prepare(engines: Engines, group: str, telemetry: Telemetry) -> str:
    """Check before anything is inserted, begin the next generation where rows are lost, and migrate.

    Returns the consumer group that folds the current generation. LogLost, LogUnavailable, WarehouseUnavailable.
    """
    if engines.generations is None:
        migrate(engines.warehouse)
        return group
    while True:
        number = engines.generation()
        own = group_of(group, number)
        # A statement makes the database when it is not there; a select says that it is missing.
        engines.warehouse.execute(Statement("SELECT 1"))
        # In this order: other members go on meanwhile, and their tables are ahead of what they commit.
        commits = committed_by_members(engines.log, own)
        if reason := loss_of(engines.log, engines.warehouse, commits, boot=""):
            begin_next(engines.generations, number, engines.log, reason, telemetry)
            engines.close_warehouse()
            continue
        migrate(engines.warehouse)
        make_durable(engines.warehouse)
        try:
            Checkpoints(engines.warehouse, "", lambda: None).write()
        except PartsLost:
            # Since it was looked at.
            continue
        return own
