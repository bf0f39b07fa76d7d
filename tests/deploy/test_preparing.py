from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.log.port import Partition
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.port import Statement
from fleetlog_deploy.engines import Engines
from fleetlog_deploy.parts import QueryPart
from fleetlog_deploy.preparing import prepare
from fleetlog_deploy.settings.model import LogSettings, ObjectsSettings, QuerySettings, Settings, WarehouseSettings
from fleetlog_ingest.materializer.loop import WarehouseBehind

from tests.servers import unique


def _not_durable(engines: Engines) -> list[str]:
    sql = (
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND NOT create_table_query LIKE '%fsync_after_insert = 1, fsync_part_directory = 1%'"
    )
    return engines.warehouse.select(Statement(sql)).texts("name")


async def _lose(engines: Engines) -> None:
    prepare(engines)
    assert _not_durable(engines) == []
    prepare(engines)
    applied = AppliedWatch(engines.reads)
    part = QueryPart(engines, applied, Telemetry(), QuerySettings(token_key="00" * 32))
    assert await asyncio.to_thread(part.complaint) == ""
    assert await applied.now() == dict[Partition, int]()
    (name,) = engines.warehouse.select(
        Statement("SELECT name FROM system.parts WHERE database = currentDatabase() AND table = 'migrations' AND active"
                  " ORDER BY max_block_number DESC LIMIT 1")
    ).texts("name")  # fmt: skip
    engines.warehouse.execute(Statement(f"ALTER TABLE migrations DROP PART '{name}'"))
    assert "rows of the warehouse are lost" in await asyncio.to_thread(engines.reads.look_again)
    assert "rows of the warehouse are lost" in await asyncio.to_thread(part.complaint)
    with pytest.raises(WarehouseBehind, match="parts of migrations are gone"):
        prepare(engines)
    await part.stop()
    await applied.close()


def test_a_server_that_lost_parts_is_neither_ready_nor_written_to(clickhouse_server: str, tmp_path: Path) -> None:
    database = unique("test").replace("-", "_")
    url = urlsplit(clickhouse_server)._replace(path=f"/{database}").geturl()
    settings = Settings(
        log=LogSettings(url=f"sqlite:{tmp_path / 'log'}"),
        warehouse=WarehouseSettings(url=url),
        objects=ObjectsSettings(url=f"folder:{tmp_path / 'objects'}"),
    )
    engines = Engines(settings, Telemetry())
    try:
        asyncio.run(_lose(engines))
    finally:
        engines.close()
        dropping = ClickHouseWarehouse(ClickHouseSettings.from_url(clickhouse_server))
        dropping.execute(Statement(f"DROP DATABASE IF EXISTS {database} SYNC"))
        dropping.close()
