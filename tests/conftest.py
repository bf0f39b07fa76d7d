from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fleetlog_deploy.embedded import running

pytest_plugins = ["tests.servers"]


@pytest.fixture(scope="session")
def embedded_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for the whole run: chDB opens one directory a process. Tests keep apart by experiment or namespace."""
    with running(tmp_path_factory.mktemp("embedded")) as target:
        yield target


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    """An experiment of the test's own."""
    return str(request.node.nodeid)[-400:]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path
