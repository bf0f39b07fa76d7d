from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.migrate import migrate, migrations, statements
from fleetlog_core.warehouse.port import Column, Statement, Warehouse

from tests.ingest.materializer.builders import in_own_process
from tests.warehouses import Wrapped

_SCHEMA = Statement(
    "SELECT name, replaceRegexpAll(create_table_query, '[0-9a-f]{8}-[0-9a-f-]{27}', 'uuid') AS made"
    " FROM system.tables WHERE database = currentDatabase() ORDER BY name"
)
_DONE = Statement("SELECT name FROM migrations ORDER BY name")


class Crash(Exception):
    """The process died here."""


class Mortal(Wrapped):
    """The warehouse, until a statement begins as `last`, or an insert has it as its token: that is not done."""

    def __init__(self, warehouse: Warehouse, last: str) -> None:
        super().__init__(warehouse)
        self._last = last

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        if token == self._last:
            raise Crash
        self._warehouse.insert(table, columns, token)

    def execute(self, statement: Statement) -> None:
        if statement.sql.startswith(self._last):
            raise Crash
        self._warehouse.execute(statement)


def schema(warehouse: Warehouse) -> dict[str, str]:
    answer = warehouse.select(_SCHEMA)
    return dict(zip(answer.texts("name"), answer.texts("made"), strict=True))


def _again(path: Path) -> None:
    warehouse = ChdbWarehouse(path)
    assert migrate(warehouse) == list(migrations())
    whole = schema(warehouse)
    assert {"points", "runs", "attrs", "run_attrs", "applied", "migrations"} <= set(whole)
    assert migrate(warehouse) == []
    warehouse.close()
    warehouse = ChdbWarehouse(path)
    assert migrate(warehouse) == []
    assert schema(warehouse) == whole
    assert warehouse.select(_DONE).texts("name") == list(migrations())
    warehouse.close()


def test_once_is_enough_also_after_a_restart(tmp_path: Path) -> None:
    in_own_process(_again, tmp_path)


POINTS = [
    ["CREATE TABLE IF NOT EXISTS migrations"],
    *([*statements(text), f"migration:{name}"] for name, text in migrations().items()),
]
"""Statements and tokens, file by file, before each of which a process may die."""


def _crashes(path: Path) -> int:
    """How many there were: each time one in every file, at its first statement, its second and so on."""
    warehouse = ChdbWarehouse(path / "whole")
    migrate(warehouse)
    whole = schema(warehouse)
    warehouse.close()
    crashes = 0
    for place in range(max(map(len, POINTS))):
        warehouse = ChdbWarehouse(path / f"before {place}")
        for points in POINTS:
            if place < len(points):
                with pytest.raises(Crash):
                    migrate(Mortal(warehouse, points[place]))
                crashes += 1
        migrate(warehouse)
        assert schema(warehouse) == whole, place
        assert warehouse.select(_DONE).texts("name") == list(migrations())
        assert migrate(warehouse) == []
        warehouse.close()
    return crashes


def test_a_crash_between_any_two_statements_is_made_good(tmp_path: Path) -> None:
    everywhere = [point for points in POINTS for point in points]
    assert not [one for one in everywhere for other in everywhere if one is not other and other.startswith(one)]
    assert in_own_process(_crashes, tmp_path) == len(everywhere)


def test_every_statement_can_be_run_twice() -> None:
    for name, text in migrations().items():
        assert re.fullmatch(r"\d{4}_[a-z_]+\.sql", name)
        for sql in statements(text):
            # Rows that a history has already are one with those that come again.
            again = r"(CREATE|ALTER|DROP) .*\bIF (NOT )?EXISTS\b|INSERT INTO (\w+_history|checkpoints)\b"
            again += r"|ALTER TABLE \w+ MODIFY SETTING\b"
            assert re.match(again, sql), f"{name}: {sql.splitlines()[0]}"
            assert not sql.endswith(";")
            assert "--" not in sql


def test_numbers_are_given_once() -> None:
    numbers = [name.split("_")[0] for name in migrations()]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("-- nothing\n\n", []),
        ("CREATE TABLE a (x Int8) -- why\nE = Log;\n-- end\n", ["CREATE TABLE IF NOT EXISTS a (x Int8)\nE = Log"]),
        (
            "CREATE TABLE a;\nCREATE MATERIALIZED VIEW v TO a AS\nSELECT 1;",
            ["CREATE TABLE IF NOT EXISTS a", "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO a AS\nSELECT 1"],
        ),
        ("CREATE TABLE IF NOT EXISTS a;\n", ["CREATE TABLE IF NOT EXISTS a"]),
        ("ALTER TABLE a ADD COLUMN IF NOT EXISTS b Int8;\n", ["ALTER TABLE a ADD COLUMN IF NOT EXISTS b Int8"]),
    ],
)  # fmt: skip
def test_a_file_is_split_into_statements(text: str, found: list[str]) -> None:
    assert statements(text) == found
