"""Searches of runs, and of the data that they read."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from fleetlog_proto.v1 import dataset_pb2, experiment_pb2, position_pb2, query_pb2, run_pb2, scope_pb2
from mlflow.entities import Run, ViewType, _DatasetSummary
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from fleetlog._calls.base import PAGE, TIMEOUT_SECONDS
from fleetlog.mlflow_plugin.entities import location_of
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.experiment_ids import experiment_numbers
from fleetlog.mlflow_plugin.filters import RunFilter, run_filter, run_order
from fleetlog.mlflow_plugin.page_answers import run_json, runs_answer
from fleetlog.mlflow_plugin.page_sizes import check_max_results
from fleetlog.mlflow_plugin.page_tokens import checked_start, reading_token
from fleetlog.mlflow_plugin.runs import RunStore

_MISSING = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)
MAX_SUMMARIES = 1_000
"""Maximum of datasets that a listing names."""
Scope = tuple[list[int], scope_pb2.DeletedView.ValueType]
"""Experiments, and which of their runs."""
Found = tuple[run_pb2.Run, experiment_pb2.Experiment]
"""A run with its experiment."""
Experiments = dict[int, experiment_pb2.Experiment]
"""Experiments by number."""
MAX_ASKED = 4
"""Maximum of experiments that a search asks for one by one."""


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
        found, token = self._search(experiment_ids, filter_string, run_view_type, max_results, order_by, page_token)
        return [self.entity(*one) for one in found], token

    def search_json(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int | None,
        order_by: Sequence[str] | None,
        page_token: str | None,
    ) -> str:
        """As search_runs: MLflow's answer to its page."""
        found, token = self._search(experiment_ids, filter_string, run_view_type, max_results, order_by, page_token)
        runs = [
            run_json(run, location_of(experiment, self.artifact_root), deleted=run.deleted or experiment.deleted)
            for run, experiment in found
        ]
        return runs_answer(runs, token)

    def _search(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None,
        view: int,
        max_results: int | None,
        order_by: Sequence[str] | None,
        page_token: str | None,
    ) -> tuple[list[Found], str | None]:
        if max_results is not None:
            check_max_results(max_results)
        where, order = run_filter(filter_string), run_order(order_by)
        numbers = experiment_numbers(experiment_ids)
        first, token = _read_token(page_token)
        self.writers.flush()
        # Asked for once: within `mlflow server` it is a call by itself.
        at_least = self.writers.position()
        experiments = self._experiments_of(numbers, at_least)
        found: list[Found] = []
        scopes = _scopes(numbers, experiments, view)
        for place in range(first, len(scopes)):
            request = query_pb2.SearchRunsRequest(
                namespace=self.place.namespace,
                experiment_ids=scopes[place][0],
                filter=where.text,
                order_by=order,
                deleted_view=scopes[place][1],
                page_token=token,
                at_least=at_least,
            )
            wanted = None if max_results is None else max_results - len(found)
            runs, token = self._of_scope(request, where, experiments, wanted)
            found += runs
            if token:
                return found, _token(place, token)
            if max_results is not None and len(found) >= max_results and place + 1 < len(scopes):
                return found, _token(place + 1, "")
        return found, None

    def _experiments_of(self, numbers: Sequence[int], at_least: position_pb2.Position) -> Experiments:
        """Returns those of the experiments that are there: a few are asked for one by one, beyond that all are."""
        if len(set(numbers)) > MAX_ASKED:
            return {one.experiment_id: one for one in self.all_experiments(at_least)}
        found: Experiments = {}
        for number in set(numbers):
            try:
                found[number] = self.read_experiment(str(number), at_least)
            except MlflowException as error:
                if error.error_code != _MISSING:
                    raise
        return found

    def _of_scope(
        self, request: query_pb2.SearchRunsRequest, where: RunFilter, experiments: Experiments, wanted: int | None
    ) -> tuple[list[Found], str]:
        connection = self.writers.connection
        found: list[Found] = []
        while True:
            # A page of the server is never cut: what is asked for at once is what is still wanted.
            request.page_size = PAGE if wanted is None else min(PAGE, wanted - len(found))
            with translated():
                page = connection.call(connection.query.SearchRuns, request, TIMEOUT_SECONDS)
            runs = [(run, experiments[run.experiment_id]) for run in page.runs]
            for run in page.runs:
                self._texts.fill(self.writers, run)
            found += [one for one in runs if where.takes(self.entity(*one))] if where.beside else runs
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


def _scopes(numbers: Sequence[int], experiments: Experiments, view: int) -> list[Scope]:
    """Returns where to look. A run is deleted when it is, or its experiment is."""
    active = [number for number in numbers if number in experiments and not experiments[number].deleted]
    deleted = [number for number in numbers if number in experiments and experiments[number].deleted]
    if view == ViewType.ACTIVE_ONLY:
        scopes: list[Scope] = [(active, scope_pb2.DELETED_VIEW_ACTIVE)]
    elif view == ViewType.ALL:
        scopes = [(active + deleted, scope_pb2.DELETED_VIEW_ALL)]
    else:
        scopes = [(active, scope_pb2.DELETED_VIEW_DELETED), (deleted, scope_pb2.DELETED_VIEW_ALL)]
    # No experiment at all would be every one.
    return [scope for scope in scopes if scope[0]]


def _token(place: int, token: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place, token]).encode()).decode()


def _read_token(text: Any) -> tuple[int, str]:
    if not text:
        return 0, ""
    with reading_token(text):
        place, token = json.loads(base64.urlsafe_b64decode(text))
        return checked_start(text, int(place)), str(token)
