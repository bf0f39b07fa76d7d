from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_deploy.embedded import running_node
from fleetlog_deploy.node import Node

from tests.empty_warehouses import copy_empty_warehouse, make_empty_warehouse

pytest_plugins = ["tests.servers", "tests.layers"]


def pytest_sessionstart() -> None:
    """Before any worker starts."""
    make_empty_warehouse()


@pytest.fixture(scope="session", autouse=True)
def journals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the journals of this process, and of those that it starts: none is in the user's own."""
    folder = tmp_path_factory.mktemp("journals")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FLEETLOG_JOURNAL", str(folder))
        yield folder


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, str]]:
    """One server for the whole run: chDB opens one directory a process. Tests keep apart by experiment or namespace."""
    data = tmp_path_factory.mktemp("embedded")
    copy_empty_warehouse(data / "warehouse")
    with running_node(data) as running:
        yield running


@pytest.fixture(scope="session")
def embedded_target(embedded: tuple[Node, str]) -> str:
    """Address of the embedded server."""
    return embedded[1]


@pytest.fixture(scope="session")
def embedded_warehouse(embedded: tuple[Node, str]) -> Warehouse:
    """The tables of the embedded server, without gRPC: what is read here costs its statements alone."""
    return embedded[0].engines.reads


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    """An experiment of the test's own."""
    return str(request.node.nodeid)[-400:]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path
