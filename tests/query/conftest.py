"""One chDB for all tests of a session here: a process may open one directory at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.migrate import migrate


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbWarehouse]:
    opened = ChdbWarehouse(tmp_path_factory.mktemp("query") / "warehouse")
    migrate(opened)
    yield opened
    opened.close()
