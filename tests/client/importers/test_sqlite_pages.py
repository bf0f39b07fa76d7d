"""Metrics that are read from the pages of SQLite's file: the points that its rows give, in the same pieces."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fleetlog.importers.mlflow_stores import databases, metric_pages
from fleetlog.importers.mlflow_stores.databases import SqliteDatabase
from fleetlog.importers.mlflow_stores.metric_pages import MetricColumns
from fleetlog.importers.mlflow_stores.metric_rows import points_of, points_of_columns
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.profiles import examples

_STATEMENT = "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ?"
_TABLE = """
CREATE TABLE metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT metric_pk PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan))
"""
_INDEX = "CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid)"
Point = tuple[str, float, int, int, bool]


@dataclass(frozen=True)
class Table:
    """A table of metrics as it is written."""

    page_bytes: int
    journal: str
    points: list[Point]
    runs: list[int]
    """Which of the runs each point is of."""
    deleted: int
    """Rows of which more are gone the higher it is, up to 10."""


def _table(number: int) -> Table:
    """A table that comes again from its number."""
    chance = random.Random(number)
    alphabet = "abc/é\U0001f600'"
    keys = ["".join(chance.choices(alphabet, k=chance.choice([0, 1, 7, 8, 9, 40, 90]))) for _ in range(5)]
    extremes = [0.0, 1.0, -0.0, 1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 2.0**60]

    def real() -> float:
        return chance.choice([chance.gauss(), float(chance.randint(-(2**40), 2**40)), chance.choice(extremes)])

    def whole(place: int) -> int:
        bits = chance.choice([0, 3, 8, 15, 24, 31, 47, 63])
        return chance.choice([place, chance.randint(-(1 << bits), (1 << bits) - 1)])

    count = chance.choice([20, 600])
    points = [
        (chance.choice(keys), real(), whole(place), whole(place), chance.random() < 0.1) for place in range(count)
    ]
    runs = chance.choices(range(3), [1, 5, 30], k=count)
    journal = chance.choice(["delete", "wal"])
    return Table(chance.choice([512, 4096, 65536]), journal, points, runs, chance.randint(0, 10))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "MANY", 3)
    monkeypatch.setattr(databases, "ROWS_AT_ONCE", 17)
    monkeypatch.setattr(metric_pages, "_PAGES_AT_ONCE", 2)


@settings(max_examples=examples(40))
@given(st.integers(0, 2**32))
def test_pages_give_the_points_of_the_rows_in_the_same_pieces(number: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        _write(path, _table(number))
        database = SqliteDatabase(path)
        for run in map(_name, range(3)):
            assert _by_pages(database, run)[0] == _by_rows(database, run)


def test_a_large_table_is_read_by_pages_alone(tmp_path: Path) -> None:
    random_ = random.Random(7)
    points = [
        (f"metric {place % 20:02}", random_.gauss(), 10**12 + place, place // 20, False) for place in range(20_000)
    ]
    _write(tmp_path / "mlflow.db", Table(4096, "delete", points, [0] * len(points), 0))
    database = SqliteDatabase(tmp_path / "mlflow.db")
    found, kinds = _by_pages(database, _name(0))
    assert (found, set(kinds)) == (_by_rows(database, _name(0)), {MetricColumns})


@pytest.mark.parametrize(
    "odd",
    [
        "INSERT INTO metrics VALUES ('a', 'no number', 1, '{run}', 1, 0)",
        "INSERT INTO metrics VALUES ('a', 1.5, 'no time', '{run}', 1, 0)",
        "INSERT INTO metrics VALUES (x'00ff', 1.5, 1, '{run}', 1, 0)",
        "INSERT INTO metrics VALUES ('{long}', 1.5, 1, '{run}', 1, 0)",
        "INSERT INTO metrics VALUES ('a', 1.5, 1, '{run}', 1, 7)",
        "ALTER TABLE metrics ADD COLUMN more TEXT; DROP INDEX index_metrics_run_uuid",
    ],
)
def test_what_pages_cannot_tell_is_left_to_sqlite(tmp_path: Path, odd: str) -> None:
    points = [("key", place / 7, place, place, False) for place in range(100)]
    _write(tmp_path / "mlflow.db", Table(4096, "delete", points, [0] * len(points), 0))
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as made, made:
        made.executescript(odd.format(run=_name(0), long="k" * 9000))
    database = SqliteDatabase(tmp_path / "mlflow.db")
    rows = [row for some in database.batches(_STATEMENT, [_name(0)]) for row in some]
    found: list[object] = []
    for some in database.metrics(_STATEMENT, _name(0)):
        assert isinstance(some, MetricColumns) or len(some) in (17, len(rows) % 17)
        found += _rows_of(some) if isinstance(some, MetricColumns) else some
    assert [tuple(map(repr, row)) for row in found] == [tuple(map(repr, row)) for row in rows]  # type: ignore[call-overload]


def test_with_a_log_of_changes_beside_the_file_sqlite_reads(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    points = [("key", place / 7, place, place, False) for place in range(100)]
    _write(path, Table(4096, "wal", points, [0] * len(points), 0))
    with contextlib.closing(sqlite3.connect(path)) as server:
        database = SqliteDatabase(path)
        assert set(_by_pages(database, _name(0))[1]) == {MetricColumns}
        server.execute("INSERT INTO metrics VALUES ('key', 0.5, 1000, ?, 1000, 0)", [_name(0)])
        server.commit()
        found, kinds = _by_pages(database, _name(0))
        assert (found, set(kinds)) == (_by_rows(database, _name(0)), {list})
        assert sum(len(steps) // 8 for _, steps, _, _ in found) == 101


def test_a_server_waits_while_pages_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    points = [("key", place / 7, place, place, False) for place in range(1_000)]
    _write(path, Table(512, "delete", points, [0] * len(points), 0))
    database = SqliteDatabase(path)
    SqliteDatabase(path)  # whose descriptor is the first one's
    reading = database.metrics(_STATEMENT, _name(0))
    first = next(reading)
    assert isinstance(first, MetricColumns)
    with contextlib.closing(sqlite3.connect(path, timeout=0)) as server:
        server.execute("INSERT INTO metrics VALUES ('key', 0.5, 1000, ?, 1000, 0)", [_name(0)])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            server.commit()
        assert sum(len(some.codes) for some in reading if isinstance(some, MetricColumns)) == 1_000 - 17
        server.commit()
    assert sum(len(steps) // 8 for _, steps, _, _ in _by_pages(database, _name(0))[0]) == 1_001


def _write(path: Path, table: Table) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute(f"PRAGMA page_size = {table.page_bytes}")
        made.execute(f"PRAGMA journal_mode = {table.journal}")
        made.execute(_TABLE)
        made.execute(_INDEX)
        # What newer versions of MLflow have beside it.
        made.execute("CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, key, step)")
        made.execute("BEGIN")
        for (key, value, time, step, is_nan), run in zip(table.points, table.runs, strict=True):
            row = (key, value, time, _name(run), step, int(is_nan))
            made.execute("INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?, ?)", row)
        made.execute("DELETE FROM metrics WHERE rowid % 11 < ?", [table.deleted // 2])
        made.execute("COMMIT")


def _name(run: int) -> str:
    return f"{run:032x}"


Piece = tuple[str, bytes, bytes, bytes]


def _by_pages(database: SqliteDatabase, run: str) -> tuple[list[Piece], list[type]]:
    found, kinds = list[Piece](), list[type]()
    for some in database.metrics(_STATEMENT, run):
        kinds.append(type(some))
        pieces = points_of_columns(some) if isinstance(some, MetricColumns) else points_of(some)
        found += [(one.key, one.steps.tobytes(), one.values.tobytes(), one.times.tobytes()) for one in pieces]
    return found, kinds


def _by_rows(database: SqliteDatabase, run: str) -> list[Piece]:
    return [
        (one.key, one.steps.tobytes(), one.values.tobytes(), one.times.tobytes())
        for some in database.batches(_STATEMENT, [run])
        for one in points_of(some)
    ]


def _rows_of(columns: MetricColumns) -> Iterator[tuple[object, ...]]:
    keys = [columns.keys[code] for code in columns.codes.tolist()]
    yield from zip(
        keys, columns.values.tolist(), columns.times.tolist(), columns.steps.tolist(),
        map(int, columns.are_nan.tolist()), strict=True,
    )  # fmt: skip
