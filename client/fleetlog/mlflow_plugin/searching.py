"""Searches of runs, and of the data that they read."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from fleetlog_proto.v1 import dataset_pb2, query_pb2, scope_pb2
from mlflow.entities import Run, ViewType, _DatasetSummary

from fleetlog._calls.base import PAGE, TIMEOUT_SECONDS
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.experiment_ids import experiment_numbers
from fleetlog.mlflow_plugin.filters import RunFilter, run_filter, run_order
from fleetlog.mlflow_plugin.page_sizes import check_max_results
from fleetlog.mlflow_plugin.page_tokens import checked_start, reading_token
from fleetlog.mlflow_plugin.runs import RunStore

MAX_SUMMARIES = 1_000
"""Maximum of datasets that a listing names."""
Scope = tuple[list[int], scope_pb2.DeletedView.ValueType]
"""Experiments, and which of their runs."""


class SearchStore(RunStore):
    """Searches of the namespace."""

    def _search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int | None,
        order_by: Sequence[str] | None,
        page_token: str | None,
    ) -> tuple[list[Run], str | None]:
        """Returns a page of runs, and the token of the next one. A token goes on as of the first page's moment."""
        if max_results is not None:
            check_max_results(max_results)
        where, order = run_filter(filter_string), run_order(order_by)
        numbers = experiment_numbers(experiment_ids)
        first, token = _read_token(page_token)
        self.writers.flush()
        found: list[Run] = []
        scopes = self._scopes(numbers, run_view_type)
        for place in range(first, len(scopes)):
            wanted = None if max_results is None else max_results - len(found)
            runs, token = self._of_scope(scopes[place], where, order, wanted, token)
            found += runs
            if token:
                return found, _token(place, token)
            if max_results is not None and len(found) >= max_results and place + 1 < len(scopes):
                return found, _token(place + 1, "")
        return found, None

    def _scopes(self, numbers: Sequence[int], view: int) -> list[Scope]:
        """Returns where to look. A run is deleted when it is, or its experiment is."""
        known = {one.experiment_id: one.deleted for one in self.all_experiments()} if numbers else {}
        active = [number for number in numbers if number in known and not known[number]]
        deleted = [number for number in numbers if known.get(number)]
        if view == ViewType.ACTIVE_ONLY:
            scopes: list[Scope] = [(active, scope_pb2.DELETED_VIEW_ACTIVE)]
        elif view == ViewType.ALL:
            scopes = [(active + deleted, scope_pb2.DELETED_VIEW_ALL)]
        else:
            scopes = [(active, scope_pb2.DELETED_VIEW_DELETED), (deleted, scope_pb2.DELETED_VIEW_ALL)]
        # No experiment at all would be every one.
        return [scope for scope in scopes if scope[0]]

    def _of_scope(
        self, scope: Scope, where: RunFilter, order: Sequence[str], wanted: int | None, token: str
    ) -> tuple[list[Run], str]:
        connection = self.writers.connection
        request = query_pb2.SearchRunsRequest(
            namespace=self.place.namespace,
            experiment_ids=scope[0],
            filter=where.text,
            order_by=order,
            deleted_view=scope[1],
            page_token=token,
            at_least=self.writers.position(),
        )
        found: list[Run] = []
        while True:
            # A page of the server is never cut: what is asked for at once is what is still wanted.
            request.page_size = PAGE if wanted is None else min(PAGE, wanted - len(found))
            with translated():
                page = connection.call(connection.query.SearchRuns, request, TIMEOUT_SECONDS)
            found += [run for run in self.entities_of(page.runs) if where.takes(run)]
            request.page_token = page.next_page_token
            if not page.next_page_token or (wanted is not None and len(found) >= wanted):
                return found, page.next_page_token

    def _search_datasets(self, experiment_ids: Sequence[str]) -> list[_DatasetSummary]:
        """Returns the datasets of experiments by name, digest and context, each once, at most 1,000."""
        numbers = experiment_numbers(experiment_ids)
        if not numbers:
            return []
        self.writers.flush()
        connection = self.writers.connection
        request = dataset_pb2.ListDatasetsRequest(
            namespace=self.place.namespace,
            experiment_ids=numbers,
            page_size=MAX_SUMMARIES,
            at_least=self.writers.position(),
        )
        with translated():
            found = connection.call(connection.query.ListDatasets, request, TIMEOUT_SECONDS).datasets
        return [
            _DatasetSummary(
                experiment_id=str(one.experiment_id), name=one.name, digest=one.digest, context=one.context or None
            )
            for one in found
        ]


def _token(place: int, token: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place, token]).encode()).decode()


def _read_token(text: Any) -> tuple[int, str]:
    if not text:
        return 0, ""
    with reading_token(text):
        place, token = json.loads(base64.urlsafe_b64decode(text))
        return checked_start(text, int(place)), str(token)
