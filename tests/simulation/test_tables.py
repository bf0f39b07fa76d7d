"""Tables of a world hold to what the port of the warehouse promises."""

from __future__ import annotations

import numpy as np
import pytest
from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.warehouse.port import Coded, Column, Statement, WarehouseRefused

from simulation.history import History
from simulation.statements import answer
from simulation.tables import Row, Tables


def applied(part: int, next_offset: int) -> dict[str, Column]:
    topic = Coded(np.array([0], np.uint32), [EVENTS])
    return {"topic": topic, "part": np.array([part], np.uint16), "next_offset": np.array([next_offset], np.uint64)}


def test_a_token_stands_for_one_insert_whatever_the_rows() -> None:
    tables = Tables(History())
    tables.insert("points", {"value": np.array([1.0])}, "a")
    tables.insert("points", {"value": np.array([2.0])}, "a")
    tables.insert("points", {"value": np.array([3.0])}, "b")
    tables.insert("problems_elsewhere", {"value": np.array([4.0])}, "a")
    assert [row["value"] for row in tables.all("points")] == [1.0, 3.0]
    assert [row["value"] for row in tables.all("problems_elsewhere")] == [4.0]


def test_the_highest_version_of_a_key_stays_whenever_it_came() -> None:
    tables = Tables(History())
    for number, (part, offset) in enumerate(((0, 5), (1, 2), (0, 9), (0, 7))):
        tables.insert("applied", applied(part, offset), str(number))
    assert offsets_of(answer(tables, APPLIED)) == {Partition(EVENTS, 0): 9, Partition(EVENTS, 1): 2}


def test_an_insert_with_a_row_that_can_not_be_held_is_refused_whole_and_may_come_again() -> None:
    def refuses(table: str, rows: list[Row]) -> bool:
        return any(row["value"] < 0 for row in rows)

    tables = Tables(History(), refuses=refuses)
    with pytest.raises(WarehouseRefused):
        tables.insert("points", {"value": np.array([1.0, -1.0])}, "a")
    assert tables.all("points") == []
    tables.insert("points", {"value": np.array([1.0])}, "a")
    assert len(tables.all("points")) == 1


def test_a_statement_that_nobody_knows_is_told_with_its_text_and_digest() -> None:
    with pytest.raises(LookupError, match=r"no world answers, [0-9a-f]{12}: SELECT 1 AS one"):
        answer(Tables(History()), Statement("SELECT 1 AS one"))
