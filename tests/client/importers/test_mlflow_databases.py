"""Databases of MLflow: old schemas, servers that write meanwhile, and what is none."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from fleetlog.importers.mlflow import open_mlflow
from fleetlog.importers.mlflow_stores.databases import open_database
from fleetlog.importers.mlflow_stores.metric_rows import points_of
from fleetlog.importers.source import SourceError

NOW = 1_700_000_000_000
_FIRST = """
CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT);
CREATE TABLE runs (run_uuid TEXT, name TEXT, source_name TEXT, source_version TEXT, entry_point_name TEXT, user_id TEXT,
    status TEXT, start_time BIGINT, end_time BIGINT, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT);
INSERT INTO experiments VALUES (0, 'Default', '', 'active'), (7, 'old', '', 'deleted');
INSERT INTO runs VALUES ('child', 'c', '', '', '', 'u', 'FAILED', 5, 9, 'active', '', 7),
    ('parent', 'p', 'train.py', 'abc', 'main', 'u', '3', 6, 9, 'active', '', 7);
INSERT INTO tags VALUES ('mlflow.parentRunId', 'parent', 'child');
INSERT INTO params VALUES ('lr', NULL, 'parent');
INSERT INTO metrics VALUES ('loss', 0.5, 1, 'parent'), ('acc', 1.0, 2, 'parent'), ('loss', 0.25, 2, 'parent');
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as made:
        made.executescript(_FIRST)
    made.close()
    return path


def test_a_database_without_later_tables_and_columns_is_read_for_what_it_has(database: Path) -> None:
    source = open_mlflow(str(database))
    assert [(one.name, one.deleted) for one in source.experiments()] == [("Default", False), ("old", True)]
    runs = list(source.runs())
    assert [(run.id, run.parent, run.state, run.deleted) for run in runs] == [
        ("parent", None, "FINISHED", True),
        ("child", "parent", "FAILED", True),
    ]
    assert (runs[0].params, runs[0].datasets, runs[0].output_models) == ({"lr": ""}, [], [])
    assert runs[0].tags == {
        "mlflow.source.name": "train.py", "mlflow.source.git.commit": "abc", "mlflow.project.entryPoint": "main",
    }  # fmt: skip
    found = {
        piece.key: (piece.steps.tolist(), piece.values.tolist(), piece.times.tolist()) for piece in runs[0].points()
    }
    assert found == {"loss": ([0, 0], [0.5, 0.25], [1, 2]), "acc": ([0], [1.0], [2])}
    assert (list(source.logged_models()), list(source.registered_models()), source.unread()) == ([], [], [])
    assert [run.id for run in source.runs(8)] == ["parent", "child"]
    assert [run.id for run in source.runs(10)] == []


def test_it_is_read_while_a_server_writes_and_never_written_to(database: Path) -> None:
    with sqlite3.connect(database) as server:
        server.execute("PRAGMA journal_mode=WAL")
        server.execute("INSERT INTO metrics VALUES ('loss', 0.125, 3, 'parent')")
        server.commit()
        server.execute("INSERT INTO metrics VALUES ('loss', 9.0, 4, 'parent')")
        source = open_mlflow(f"sqlite:///{database}")
        parent = next(run for run in source.runs() if run.id == "parent")
        assert sum(len(piece.steps) for piece in parent.points()) == 4
        server.rollback()
    server.close()
    with pytest.raises(SourceError, match="readonly"):
        list(open_database(str(database)).rows("DELETE FROM metrics"))


def test_nan_is_a_flag_and_infinities_are_the_largest_numbers() -> None:
    rows = [("a", 0.0, 1, 5, True), ("b", 1.7976931348623157e308, 2, 6, False), ("a", -1.7976931348623157e308, 3, 7, 0)]
    found = {piece.key: piece for piece in points_of(rows)}
    assert np.isnan(found["a"].values[0])
    assert (found["a"].values[1], found["b"].values[0]) == (-math.inf, math.inf)
    assert (found["a"].steps.tolist(), found["b"].times.tolist()) == ([5, 7], [2])


def test_what_is_no_database_of_mlflow_says_what_was_expected(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    sqlite3.connect(other).executescript("CREATE TABLE runs (id)").connection.close()
    torn = tmp_path / "torn.db"
    torn.write_bytes(b"SQLite format 3\x00" + b"oops" * 100)
    text = tmp_path / "text"
    text.write_text("text")
    for place, told in (
        (str(other), "no database of MLflow"),
        (str(torn), "can't be read"),
        (str(text), "no database of SQLite"),
        (str(tmp_path / "nothing"), "is not there"),
        ("mysql://host/db", "no reader of such databases"),
    ):
        with pytest.raises(SourceError, match=told):
            open_mlflow(place)


def test_a_row_without_a_number_costs_itself(database: Path) -> None:
    with sqlite3.connect(database) as made:
        made.execute("INSERT INTO metrics VALUES ('loss', 'soon', 3, 'parent'), ('loss', NULL, 4, 'parent')")
        made.execute("INSERT INTO metrics VALUES ('loss', 0.125, 5, 'parent')")
    made.close()
    source = open_mlflow(str(database))
    parent = next(run for run in source.runs() if run.id == "parent")
    for _ in range(2):
        assert sum(len(piece.steps) for piece in parent.points()) == 4
    assert [(one.where, one.count) for one in source.unread()] == [("run parent, table metrics", 2)]
