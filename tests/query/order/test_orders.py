"""Orders are kept while there is room, and made again longer where a page is further behind."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from fleetlog_query.order import orders
from fleetlog_query.order.orders import Orders
from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.order.run_order import FirstPage, RunOrder
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.scope import Scope

POSITION, QUERY = AsOf((7,), 1), PageQuery(Scope("n", (1,)), None, (), 10, 0)
RUNS = [place.to_bytes(16, "big") for place in range(1_000)]


class Made:
    """Notes what is made: the first so many of RUNS."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []

    def order(self, query: PageQuery, position: AsOf, most: int | None) -> RunOrder:
        self.asked.append(most)
        return RunOrder(np.frombuffer(b"".join(RUNS[:most]), "V16"), most is None or most > len(RUNS))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(orders, "FIRST_RUNS", 100)
    return Made()


def orders_of(made: Made) -> Orders:
    return Orders(cast(PageReader, made))


def test_pages_near_the_beginning_are_of_one_order(made: Made) -> None:
    kept = orders_of(made)
    for count in (11, 21, 100):
        assert kept.as_of(POSITION, QUERY, "a", count).part(0, 10) == RUNS[:10]
    assert made.asked == [100]


def test_a_page_further_behind_has_a_longer_one_made_and_all_is_all(made: Made) -> None:
    kept = orders_of(made)
    kept.as_of(POSITION, QUERY, "a", 11)
    assert kept.as_of(POSITION, QUERY, "a", 101).part(400, 10) == RUNS[400:404]
    assert len(kept.as_of(POSITION, QUERY, "a", None)) == len(RUNS)
    assert kept.as_of(POSITION, QUERY, "a", 100_000).is_whole
    assert made.asked == [100, 404, None]


def test_searches_positions_and_first_pages_are_told_apart(made: Made) -> None:
    kept, first = orders_of(made), FirstPage(1, frozenset([RUNS[2]]), frozenset([RUNS[0]]))
    kept.as_of(POSITION, QUERY, "a", 11)
    kept.as_of(POSITION, QUERY, "b", 11)
    kept.as_of(AsOf((8,), 1), QUERY, "a", 11)
    assert kept.as_of(POSITION, QUERY, "a", 11, first).part(0, 3) == [RUNS[0], RUNS[3], RUNS[4]]
    assert len(made.asked) == 4


def test_the_one_that_was_asked_for_longest_ago_goes_first(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "KEPT_BYTES", 2 * 16 * 100)
    kept = orders_of(made)
    for name in ("a", "b", "a", "c"):
        kept.as_of(POSITION, QUERY, name, 11)
    made.asked.clear()
    kept.as_of(POSITION, QUERY, "a", 11)
    assert made.asked == []
    kept.as_of(POSITION, QUERY, "b", 11)
    assert made.asked == [100]


def test_one_that_is_too_large_by_itself_is_made_each_time(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "KEPT_BYTES", 16 * 50)
    kept = orders_of(made)
    for _ in range(2):
        assert len(kept.as_of(POSITION, QUERY, "a", 11)) == 100
    assert made.asked == [100, 100]
