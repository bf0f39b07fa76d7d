"""The runs of a stream, in order: their ids, and what a token says of a place."""

from __future__ import annotations

import numpy as np
from fleetlog_core.warehouse.port import Answer
from fleetlog_query.sql.order_by import parse_order, sort_columns
from fleetlog_query.stream.run_order import RunOrder

RUNS = [bytes([place]) * 16 for place in range(5)]


def order() -> RunOrder:
    """Runs by name, in the order of RUNS."""
    columns = sort_columns(parse_order(["name"]))
    names = [f"run {place}" for place in range(len(RUNS))]
    classes, starts = np.full(len(RUNS), 2, np.uint8), np.arange(1_000, 1_000 + len(RUNS), dtype=np.int64)
    answer = Answer(
        {"run_id": np.frombuffer(b"".join(RUNS), "V16"), "s0": classes, "s2": names, "s3": starts}, len(RUNS), 0, 0
    )
    return RunOrder(answer, columns)


def test_a_part_is_the_ids_of_its_places() -> None:
    assert len(order()) == 5
    assert order().part(1, 2) == RUNS[1] + RUNS[2]
    assert order().part(4, 10) == RUNS[4]
    assert order().part(5, 10) == b""


def test_a_place_has_the_values_that_a_token_goes_on_from() -> None:
    assert order().values(3) == [2, 0.0, "run 3", 1_003, RUNS[3].hex()]


def test_an_order_of_nothing_is_empty() -> None:
    nothing = RunOrder(Answer({}, 0, 0, 0), sort_columns(parse_order([])))
    assert len(nothing) == 0
    assert nothing.part(0, 10) == b""
