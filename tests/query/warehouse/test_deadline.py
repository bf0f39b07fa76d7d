"""All statements of a piece of work share its deadline, in whatever thread they are."""

from __future__ import annotations

from typing import cast

from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_query.warehouse.cancellable import (
    DEFAULT_SECONDS,
    LEAST_SECONDS,
    CancellableWarehouse,
    Work,
    seconds_left,
)

ONE = Statement("SELECT 1")


class Timed:
    """Notes how long statements may take, and whose they are."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.marks: set[str] = set()

    def select(self, statement: Statement, *, timeout_seconds: float = 0.0) -> Answer:
        self.seconds.append(timeout_seconds)
        self.marks.add(statement.mark)
        return Answer({}, 0, 0, 0)


def test_a_statement_has_what_is_left_of_its_work_here_and_beside() -> None:
    timed, work = Timed(), Work(5.0)
    reading = CancellableWarehouse(cast(Warehouse, timed))

    def both() -> None:
        beside = reading.beside(lambda: reading.select(ONE))
        reading.select(ONE)
        beside.result()

    reading.run(work, both)
    assert len(timed.seconds) == 2
    assert all(0 < one <= 5.0 for one in timed.seconds)
    assert timed.marks == {work.mark}
    reading.close()


def test_work_whose_time_is_up_has_hardly_any() -> None:
    reading = CancellableWarehouse(cast(Warehouse, Timed()))
    assert reading.run(Work(-1.0), seconds_left) == LEAST_SECONDS
    reading.close()


def test_outside_of_any_work_a_statement_has_its_own_time() -> None:
    timed = Timed()
    reading = CancellableWarehouse(cast(Warehouse, timed))
    reading.select(ONE)
    reading.select(ONE, timeout_seconds=2.0)
    assert timed.seconds == [DEFAULT_SECONDS, 2.0]
    assert timed.marks == {""}
    reading.run(Work(1.0), lambda: None)
    assert seconds_left() == DEFAULT_SECONDS, "the work has ended"
    reading.close()
