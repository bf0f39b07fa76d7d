from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from fleetlog_core.warehouse import native
from fleetlog_core.warehouse.chdb import SMALL_ROWS, ChdbWarehouse
from fleetlog_core.warehouse.chdb_priorities import INSERTS_NICE, MERGES_NICE, put_merges_back
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Column, Statement, WarehouseUnavailable
from fleetlog_ingest.materializer.fold.tables import columns_of

from tests.own_processes import in_fresh_process


def test_merges_come_after_others(tmp_path: Path) -> None:
    in_fresh_process(_look_at_merges, tmp_path)


def _look_at_merges(path: Path) -> None:
    warehouse = ChdbWarehouse(path / "warehouse")
    migrate(warehouse)
    asked = Statement("SELECT value FROM system.server_settings WHERE name = 'os_threads_nice_value_merge_mutate'")
    assert warehouse.select(asked).texts("value") == [str(max(_priority(), MERGES_NICE))]
    if sys.platform == "linux":
        assert put_merges_back(), "there are threads that are known by their name"
    warehouse.close()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has priorities of threads")
def test_small_inserts_come_after_searches_and_loads_do_not(tmp_path: Path) -> None:
    in_fresh_process(_look_at_inserts, tmp_path)


def _look_at_inserts(path: Path) -> None:
    warehouse = ChdbWarehouse(path / "warehouse")
    migrate(warehouse)
    rows = [("events", 0, number) for number in range(SMALL_ROWS + 1)]
    here, seen = _priority(), list[int]()

    def encode_parts(columns: Mapping[str, Column], types: Mapping[str, str]) -> list[bytes]:
        seen.append(_priority())
        return native.encode_parts(columns, types)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fleetlog_core.warehouse.chdb.encode_parts", encode_parts)
        warehouse.insert("applied", columns_of("applied", rows), "a load")
        warehouse.insert("applied", columns_of("applied", rows[1:]), "few rows")
    assert seen == [here, max(here, INSERTS_NICE)]
    assert _priority() == here, "who asks is where it was"
    warehouse.close()
    with pytest.raises(WarehouseUnavailable):
        warehouse.insert("applied", columns_of("applied", rows[1:]), "too late")


def _priority() -> int:
    """Priority of this thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
