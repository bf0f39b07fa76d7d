"""MLflow's own server over a real PostgreSQL, and a history in it that MLflow's client wrote by HTTP."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from tests.ports import free_port
from tests.postgres import PASSWORD, USER, running_postgres
from tests.servers import missing_program
from tests.waiting import reached

DATA = Path(__file__).parents[2] / "data" / "mlflow"
NEEDED = ("flask", "flask_cors", "graphene", "aiohttp", "pg8000")
"""What MLflow's server and its store in PostgreSQL import beside mlflow-skinny."""
LONG = 60_001
"""Points of the metric `long`: more than a page of a history, and than rows that are fetched together."""
START = 1_700_000_000_000
_DATABASE = "mlflow"
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
_LONG_ROWS = """
INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
    SELECT 'long', n * 0.5, 1700000000000 + n, %s, n, false FROM generate_series(0, %s) AS n
"""
_LONG_LAST = """
INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan)
    SELECT key, value, timestamp, run_uuid, step, is_nan FROM metrics WHERE key = 'long' ORDER BY step DESC LIMIT 1
"""


@dataclass(frozen=True)
class RunningMlflow:
    """A server that runs, its database, and what it was told to keep."""

    http: str
    postgres: str
    """URI of the database."""
    address: str
    artifacts: Path
    expected: dict[str, Any]

    def counted(self, statement: str) -> int:
        """A number that the database itself gives."""
        with _connected(self.address) as cursor:
            cursor.execute(statement)
            return int(cursor.fetchone()[0])


@contextmanager
def running_mlflow(folder: Path) -> Iterator[RunningMlflow]:
    """MLflow's server with a history. Skips where PostgreSQL or a library is missing."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        missing_program("MLflow's server", f"pip install {' '.join(missing)}")
    with running_postgres() as address:
        with _connected(address, "postgres") as cursor:
            cursor.execute(f"CREATE DATABASE {_DATABASE}")
        store = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@{address}/{_DATABASE}"
        artifacts = folder / "mlartifacts"
        with _serving(store.replace("postgresql:", "postgresql+pg8000:"), artifacts, folder / "log") as http:
            expected = _written(http, folder / "expected.json")
            with _connected(address) as cursor:
                cursor.execute(_LONG_ROWS, (expected["ids"]["parent"], LONG - 1))
                cursor.execute(_LONG_LAST)
            points: list[list[object]] = expected["points"]["parent"]
            points += [["long", step, repr(step * 0.5), START + step] for step in range(LONG)]
            yield RunningMlflow(http, store, address, artifacts, expected)


def _written(http: str, out: Path) -> dict[str, Any]:
    """Have MLflow's client write the history that all stores of these tests have; what is in it."""
    making = [sys.executable, str(DATA / "make.py"), http, str(out)]
    subprocess.run(making, check=True, capture_output=True, env={**os.environ, **_QUIET}, timeout=120)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


@contextmanager
def _serving(store: str, artifacts: Path, log: Path) -> Iterator[str]:
    port = free_port()
    said = {
        "--backend-store-uri": store, "--artifacts-destination": str(artifacts), "--host": "127.0.0.1",
        "--port": str(port), "--workers": "1",
    }  # fmt: skip
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *(word for pair in said.items() for word in pair)],
            env={**os.environ, **_QUIET}, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    http = f"http://127.0.0.1:{port}"
    try:
        reached(lambda: server.poll() is not None or _answers(f"{http}/health"), seconds=180)
        assert server.poll() is None, log.read_text()
        yield http
    finally:
        # It has processes of its own.
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False


@contextmanager
def _connected(address: str, database: str = _DATABASE) -> Iterator[Any]:
    """A cursor, each statement of which is durable when it returns."""
    host, _, port = address.partition(":")
    driver: Any = importlib.import_module("pg8000.dbapi")
    connection = driver.connect(user=USER, password=PASSWORD, host=host, port=int(port), database=database)
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        connection.close()
