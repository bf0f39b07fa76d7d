"""What chDB wrote, found by the file from which a server finds its databases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from chdb.session import Session
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.directory import name_database
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Coded, Column, Statement

from tests.own_processes import in_fresh_process

ROWS = 1000


def _write(path: Path) -> None:
    warehouse = ChdbWarehouse(path)
    migrate(warehouse)
    keys = Coded(np.zeros(ROWS, np.uint32), ["loss"])
    warehouse.insert("points", {"key": keys, "step": np.arange(ROWS)}, "one")
    warehouse.close()


def _as_a_server(path: Path) -> list[str]:
    """Without chDB's link, the engine finds databases as a server does; chDB keeps the name `default` for itself."""
    (path / "metadata" / "default").unlink()
    (path / "metadata" / "default.sql").rename(path / "metadata" / "grown.sql")
    session = Session(str(path))  # type: ignore[no-untyped-call]
    questions = [
        "SELECT engine FROM system.databases WHERE name = 'grown'",
        "SELECT count(), sum(step) FROM grown.points",
    ]
    answers = [session.query(question, "TSV") for question in questions]  # type: ignore[no-untyped-call]
    return [answer.bytes().decode().strip() for answer in answers]


def _write_more(path: Path) -> int:
    warehouse = ChdbWarehouse(path)
    assert migrate(warehouse) == []
    columns: dict[str, Column] = {"key": Coded(np.zeros(ROWS, np.uint32), ["loss"]), "step": np.arange(ROWS)}
    warehouse.insert("points", columns, "one")
    warehouse.insert("points", columns, "two")
    found = int(warehouse.select(Statement("SELECT count() AS n FROM points")).array("n")[0])
    warehouse.close()
    return found


def test_a_server_finds_the_tables_that_chdb_made(tmp_path: Path) -> None:
    path = tmp_path / "warehouse"
    in_fresh_process(_write, path)
    found = in_fresh_process(_as_a_server, path)
    assert found == ["Atomic", f"{ROWS}\t{ROWS * (ROWS - 1) // 2}"]


def test_chdb_goes_on_with_the_file_beside(tmp_path: Path) -> None:
    path = tmp_path / "warehouse"
    in_fresh_process(_write, path)
    assert (path / "metadata" / "default.sql").exists()
    assert in_fresh_process(_write_more, path) == 2 * ROWS


def test_a_directory_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    name_database(tmp_path)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "default").symlink_to("../elsewhere/no-uuid")
    name_database(tmp_path)
    assert [path.name for path in (tmp_path / "metadata").iterdir()] == ["default"]
