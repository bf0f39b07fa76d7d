"""The foremost numbers of columns that are held are those that a search of the tables finds."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_query import leading, leading_column
from fleetlog_query.binds import Binds
from fleetlog_query.filter.values import Key, Series
from fleetlog_query.leading import Leading, Source
from fleetlog_query.leading_column import LeadingColumn
from fleetlog_query.pins import Pins
from fleetlog_query.scope import Scope
from fleetlog_query.selection.meet import Ids
from fleetlog_query.touches import Touches
from fleetlog_query.value_rows import value_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb
from tests.query.at_once import AtOnce
from tests.query.histories import Writing, history
from tests.query.stepping import Interrupted

SECONDS = 60.0
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(30)]


def there(warehouse: Warehouse, scope: Scope, source: Source, shown: str = "") -> dict[bytes, float]:
    """The number of every run that there is, or that is shown, by the tables."""
    binds = Binds()
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
        held = Leading(warehouse, Pins(warehouse), Touches(warehouse))
        compared = 0
        for turn in range(12):
            writing.fold(history(turn, 40, RUNS), "n", chance)
            for _ in range(6):
                count, descending = chance.randrange(1, 20), chance.random() < 0.5
                bound = chance.choice([None, 0.0, 1.0, -math.inf, math.inf])
                found = held.foremost(
                    scope, source, count, descending=descending, bound=bound, timeout_seconds=SECONDS
                )  # fmt: skip
                if found is None:
                    assert turn == 0
                    continue
                sign = -1 if descending else 1
                assert list(found.values()) == sorted(found.values(), reverse=descending)
                now, shown = there(warehouse, scope, source), there(warehouse, scope, source, " AND deleted = 0")
                assert all(now[run_id] == number for run_id, number in found.items())
                fit = [sign * number for number in shown.values() if bound is None or sign * number >= sign * bound]
                # Of those that changed since the column was read, some are deleted.
                active = [sign * number for run_id, number in found.items() if run_id in shown]
                assert active == sorted(fit)[: len(active)]
                assert len(found) == count or len(active) == len(fit)
                compared += len(active)
        held.close()
        assert compared > 100


def test_a_column_is_read_for_whom_it_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope, chance, now = Scope("n", (0, 1, 2)), random.Random(4), [0.0]
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, counted = Writing(warehouse, tmp_path), Interrupted(warehouse, lambda: None)
        writing.fold(history(1, 100, RUNS), "n", chance)
        held = Leading(counted, Pins(counted), Touches(counted), clock=lambda: now[0])

        def ask() -> int | None:
            found = held.foremost(
                scope, Key("metrics", "x"), 3, descending=False, bound=None, timeout_seconds=SECONDS
            )  # fmt: skip
            return None if found is None else len(found)

        assert [ask(), counted.selects] == [None, 0], "nobody knows that it will be asked for again"
        assert ask() is None
        counted.selects = 0
        assert ask() == 3
        counted.selects = 0
        assert [ask(), counted.selects] == [3, 0], "nothing was written since: nothing is asked"
        writing.fold(history(3, 3, RUNS), "n", chance)
        assert [ask(), counted.selects <= 3] == [3, True], "where the log stands, what changed, and its numbers"
        monkeypatch.setattr(leading, "MOST_ANEW", 0)
        writing.fold(history(2, 100, RUNS), "n", chance)
        assert ask() is None, "too much has changed for somebody to wait for"
        assert ask() is None
        now[0] += leading.PAUSE_SECONDS
        assert ask() is None
        assert ask() == 3
        writing.fold(history(4, 100, RUNS), "n", chance)
        now[0] += leading.PAUSE_SECONDS
        assert [ask(), ask()] == [None, None], "it had answered too little: it is read less often"
        now[0] += leading.PAUSE_SECONDS
        assert [ask(), ask()] == [None, 3]
        held.close()


@settings(deadline=None)
@given(
    values=st.lists(st.sampled_from([math.nan, -math.inf, -1.0, -0.0, 0.0, 1.0, 2.0, math.inf]), max_size=30),
    count=st.integers(1, 12), descending=st.booleans(), bound=st.sampled_from([None, -math.inf, -1.0, 0.0, 2.0]),
    kept=st.integers(1, 40),
)  # fmt: skip
def test_the_ends_of_a_column_are_as_the_whole_of_it(
    values: list[float], count: int, descending: bool, bound: float | None, kept: int
) -> None:
    ids = np.array([place.to_bytes(16, "big") for place in range(len(values))], "V16")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(leading_column, "FOREMOST", kept)
        column = LeadingColumn(Ids(ids), np.array(values, np.float64))
        for _ in range(2):
            found = column.foremost(count, descending=descending, bound=bound)
            sign = -1 if descending else 1
            fit = sorted(sign * value for value in values if bound is None or sign * value >= sign * bound)
            fit = [value for value in fit if not math.isnan(value)]
            assert [sign * number for number in found.values()] == sorted(fit)[:count]
            assert all(values[int.from_bytes(run_id, "big")] == number for run_id, number in found.items())
