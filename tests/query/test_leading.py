"""The foremost numbers of columns that are held are those that a search of the tables finds."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import scope_pb2
from fleetlog_query.binds import Binds
from fleetlog_query.filter.values import Key, Series
from fleetlog_query.frames import leading
from fleetlog_query.frames.frames import Frames
from fleetlog_query.frames.leading import Leading, Source
from fleetlog_query.scope import Scope
from fleetlog_query.value_rows import value_rows

from tests.core.warehouse.engines import chdb
from tests.query.at_once import AtOnce
from tests.query.histories import Writing, history
from tests.query.stepping import Interrupted

SECONDS = 60.0
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(30)]
ACTIVE, DELETED, ALL = scope_pb2.DELETED_VIEW_ACTIVE, scope_pb2.DELETED_VIEW_DELETED, scope_pb2.DELETED_VIEW_ALL


def there(warehouse: Warehouse, scope: Scope, source: Source, view: int) -> dict[bytes, float]:
    """Every run's number, by the tables."""
    binds = Binds()
    shown = {ACTIVE: " AND deleted = 0", DELETED: " AND deleted = 1", ALL: ""}[view]  # type: ignore[index]
    sql = (
        f"SELECT run_id, v FROM ({value_rows(source, scope, binds)}) WHERE NOT isNaN(v)"
        f" AND run_id IN (SELECT run_id FROM runs FINAL WHERE {scope.sql(binds)}{shown})"
    )
    answer = warehouse.select(Statement(sql, binds.values))
    ids = [one.tobytes() for one in answer.array("run_id")] if answer.rows else []
    return dict(zip(ids, answer.array("v").tolist(), strict=True))


@pytest.fixture(autouse=True)
def _columns_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "ContextThreads", AtOnce)


@pytest.mark.parametrize("source", [Key("metrics", "x"), Series("min", "x")], ids=["last", "min"])
def test_they_are_those_of_the_tables_while_runs_change(tmp_path: Path, source: Source) -> None:
    scope, chance = Scope("n", (0, 1, 2)), random.Random(3)
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing = Writing(warehouse, tmp_path)
        held = Leading(warehouse, Frames())
        compared = 0
        for turn in range(12):
            writing.fold(history(turn, 40, RUNS), "n", chance)
            for _ in range(6):
                count, descending, view = (
                    chance.randrange(1, 20),
                    chance.random() < 0.5,
                    chance.choice([ACTIVE, ALL, DELETED]),
                )
                bound = chance.choice([None, 0.0, 1.0, -math.inf, math.inf])
                found = held.foremost(
                    scope, source, count=count, descending=descending, bound=bound, deleted_view=view,
                    timeout_seconds=SECONDS,
                )  # fmt: skip
                if found is None:
                    assert turn == 0
                    continue
                sign = -1 if descending else 1
                expected = there(warehouse, scope, source, view)
                fit = [sign * number for number in expected.values() if bound is None or sign * number >= sign * bound]
                assert [sign * number for number in found.values()] == sorted(fit)[:count]
                assert all(expected[run_id] == number for run_id, number in found.items())
                compared += len(found)
        held.close()
        assert compared > 100


def test_a_column_is_read_for_whom_it_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope, chance, now = Scope("n", (0, 1, 2)), random.Random(4), [0.0]
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, counted = Writing(warehouse, tmp_path), Interrupted(warehouse, lambda: None)
        writing.fold(history(1, 100, RUNS), "n", chance)
        held = Leading(counted, Frames(), clock=lambda: now[0])

        def ask() -> int | None:
            found = held.foremost(
                scope, Key("metrics", "x"), count=3, descending=False, bound=None, deleted_view=ALL,
                timeout_seconds=SECONDS,
            )  # fmt: skip
            return None if found is None else len(found)

        assert [ask(), counted.selects] == [None, 0], "nobody knows that it will be asked for again"
        assert ask() is None
        counted.selects = 0
        assert [ask(), counted.selects] == [3, 1], "whether anything changed is all that is asked"
        monkeypatch.setattr(leading, "MOST_ANEW", 0)
        writing.fold(history(2, 100, RUNS), "n", chance)
        assert ask() is None, "too much has changed for somebody to wait for"
        assert ask() is None
        now[0] += leading.PAUSE_SECONDS
        assert ask() is None
        assert ask() == 3
        held.close()
