"""Searches of one experiment in this process: by the searcher itself, without gRPC between."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_query.calls.base import HELD_BYTES
from fleetlog_query.experiments import Experiments
from fleetlog_query.search.search import Search

from tests.query.searching import searching

SECONDS = 60.0


class Searching:
    """Finds the ids of runs."""

    def __init__(
        self, warehouse: Warehouse, experiment: str, namespace: str = "default", *, held_bytes: int = HELD_BYTES
    ) -> None:
        self._searcher = searching(warehouse, held_bytes=held_bytes).searcher
        self._namespace = namespace
        self._experiment = Experiments(warehouse).by_name(namespace, experiment).experiment_id

    def found(self, filter: str = "", order_by: Sequence[str] = (), page_size: int = 1_000) -> list[str]:  # noqa: A002
        """Ids of all the runs that match, in order, page by page."""
        search = Search(self._namespace, (self._experiment,), filter, tuple(order_by), page_size)
        found: list[str] = []
        while True:
            page = self._searcher.search(search)
            found += [run.run_id for run in page.runs]
            if not page.next_page_token:
                return found
            search = self._searcher.going_on(search, page.next_page_token)
