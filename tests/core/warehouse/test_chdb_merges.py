from __future__ import annotations

import sys
from pathlib import Path

from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.chdb_merges import NICE, put_merges_back
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement

from tests.ingest.materializer.builders import in_own_process


def test_merges_come_after_others(tmp_path: Path) -> None:
    in_own_process(_look_at_merges, tmp_path)


def _look_at_merges(path: Path) -> None:
    warehouse = ChdbWarehouse(path / "warehouse")
    migrate(warehouse)
    asked = Statement("SELECT value FROM system.server_settings WHERE name = 'os_threads_nice_value_merge_mutate'")
    assert warehouse.select(asked).texts("value") == [str(NICE)]
    if sys.platform == "linux":
        assert put_merges_back(), "there are threads that are known by their name"
    warehouse.close()
