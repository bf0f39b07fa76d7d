from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_deploy.embedded import running_node
from fleetlog_deploy.node import Node
from fleetlog_deploy.settings.model import ServerSettings, Settings, WebSettings

from tests import alone
from tests.empty_warehouses import copy_empty_warehouse, make_empty_warehouse
from tests.ports import free_port

pytest_plugins = ["tests.servers", "tests.layers"]


def pytest_configure() -> None:
    """What starts the tests in the background may have them ignore signals, which processes of tests then would too."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_sessionstart() -> None:
    """Before any worker starts."""
    make_empty_warehouse()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep how the run ended, for tests.alone."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    cache: pytest.Cache | None = getattr(session.config, "cache", None)
    if hasattr(session.config, "workerinput") or reporter is None or cache is None:
        return
    failed = {report.nodeid for kind in ("failed", "error") for report in reporter.getreports(kind)}
    cache.set(alone.ENDED, {"status": int(exitstatus), "failed": sorted(failed)})


@pytest.fixture(scope="session", autouse=True)
def journals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the journals of this process, and of those that it starts: none is in the user's own."""
    folder = tmp_path_factory.mktemp("journals")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FLEETLOG_JOURNAL", str(folder))
        # What runs record by themselves is for its own tests, which say so by `capture=`.
        patched.setenv("FLEETLOG_CAPTURE", "0")
        yield folder


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, str]]:
    """One server for the whole run: chDB opens one directory a process. Tests keep apart by experiment or namespace."""
    data = tmp_path_factory.mktemp("embedded")
    copy_empty_warehouse(data / "warehouse")
    settings = Settings(server=ServerSettings(port=0), web=WebSettings(port=free_port()))
    with running_node(data, settings) as running:
        yield running


@pytest.fixture(scope="session")
def embedded_target(embedded: tuple[Node, str]) -> str:
    """Address of the embedded server."""
    return embedded[1]


@pytest.fixture(scope="session")
def embedded_web(embedded: tuple[Node, str]) -> int:
    """HTTP port of the embedded server."""
    port = embedded[0].web_port
    assert port is not None
    return port


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
