"""Runs in order as ids, and what is left of them behind a first page."""

from __future__ import annotations

import numpy as np
import pytest
from fleetlog_query.order.run_order import FirstPage, RunOrder

RUNS = [bytes([place]) * 16 for place in range(6)]
A, B, C, D, E, F = RUNS


def order_of(*run_ids: bytes) -> RunOrder:
    return RunOrder(np.frombuffer(b"".join(run_ids), "V16"), is_whole=True)


def test_a_part_is_the_ids_of_its_places() -> None:
    order = order_of(*RUNS)
    assert len(order) == 6
    assert order.part(1, 2) == [B, C]
    assert order.part(5, 10) == [F]
    assert order.part(6, 10) == []


def test_an_order_reaches_what_it_has_and_a_whole_one_everything() -> None:
    some = RunOrder(order_of(*RUNS).ids, is_whole=False)
    assert some.reaches(6)
    assert not some.reaches(7)
    assert not some.reaches(None)
    assert order_of(*RUNS).reaches(7)
    assert order_of(*RUNS).reaches(None)


@pytest.mark.parametrize(
    ("first", "left"),
    [
        (FirstPage(2, frozenset(), frozenset()), [C, D, E, F]),
        (FirstPage(2, frozenset([E]), frozenset()), [C, D, F]),
        (FirstPage(2, frozenset(), frozenset([B])), [B, D, E, F]),
        (FirstPage(1, frozenset([F]), frozenset([A, C])), [A, C, D, E]),
        (FirstPage(0, frozenset([D, A]), frozenset([bytes([9]) * 16])), [B, C, E, F]),
        (FirstPage(6, frozenset(), frozenset([D])), [D]),
    ],
    ids=["nothing changed", "one came early", "one went", "both", "one that matches no more", "the last page"],
)
def test_behind_a_first_page_come_the_runs_that_it_does_not_show(first: FirstPage, left: list[bytes]) -> None:
    assert first.behind(order_of(*RUNS)).part(0, 10) == left
