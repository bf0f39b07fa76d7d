"""Statements stay far below what the engine parses (max_query_size), however many runs a request is about."""

from __future__ import annotations

from pathlib import Path

from fleetlog_core import limits
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search.search import Search
from fleetlog_query.sql.branches import BranchedNamespaces
from fleetlog_query.warehouse.cancellable import CancellableWarehouse

from tests.core.warehouse.engines import chdb, clickhouse
from tests.query.many_runs import EXPERIMENT, NAMESPACE, ids_of, insert_keys, insert_runs
from tests.query.searching import searching
from tests.query.stepping import Interrupted

SECONDS = 120.0
RUNS = 3 * limits.PAGE_SIZE
MOST = 131_072
"""Half of max_query_size."""


class Measured(Interrupted):
    """A warehouse that remembers the longest statement."""

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse, lambda: None)
        self.longest = 0

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        self.longest = max(self.longest, len(statement.sql))
        return super().select(statement, timeout_seconds=timeout_seconds)


def page_through(warehouse: Warehouse) -> None:
    run_ids = ids_of(RUNS)
    insert_runs(warehouse, run_ids)
    insert_keys(warehouse, run_ids, 3, "loss", [""] * RUNS, "loss", [place / 7 for place in range(RUNS)])
    insert_keys(warehouse, run_ids, 1, "lr", [str(place % 9) for place in range(RUNS)], "lr", range(RUNS), 3)
    measured = Measured(warehouse)
    reading = CancellableWarehouse(measured)
    searcher = searching(reading, held_bytes=0).searcher
    for text, order in (
        ("", ("metrics.loss",)),
        ("", ("params.lr DESC",)),
        ("metrics.loss < 1e6", ("metrics.loss", "name")),
    ):
        found: list[str] = []
        token = ""
        while not found or token:
            search = Search(NAMESPACE, (EXPERIMENT,), text, order, limits.PAGE_SIZE)
            page = searcher.search(searcher.going_on(search, token))
            found += [run.run_id for run in page.runs]
            token = page.next_page_token
        assert len(set(found)) == len(found) == RUNS
    some = run_ids[: limits.RUNS_PER_READ]
    mask = parse_read_mask([f"metrics.{place}" for place in range(limits.READ_MASK_ITEMS - 1)] + ["params"])
    assert len(Documents(reading, BranchedNamespaces(reading).tables).read(NAMESPACE, some, mask, True)) == len(some)
    assert measured.longest < MOST
    reading.close()


def test_pages_of_a_thousand_runs_by_their_numbers(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        page_through(warehouse)


def test_on_a_server_too(clickhouse_server: str) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        page_through(warehouse)
