"""Evaluation datasets, as MLflow's tracking store has them: a document each, beside those of their records."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from fleetlog_core.errors import shown
from mlflow.entities.evaluation_dataset import EvaluationDataset
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.mlflow_tags import MLFLOW_USER
from mlflow.utils.search_utils import SearchEvaluationDatasetsUtils, SearchUtils

from fleetlog.mlflow_plugin.dataset_records import digest_of
from fleetlog.mlflow_plugin.documents import batches, changed, deletion_of, put_of, until_first
from fleetlog.mlflow_plugin.errors import invalid, translated
from fleetlog.mlflow_plugin.evaluation_records import DATASET, RECORD, WARNINGS, EvaluationRecordStore
from fleetlog.mlflow_plugin.page_sizes import check_max_results
from fleetlog.mlflow_plugin.page_tokens import page_start

_FIELDS = ("name", "digest", "created_time", "last_update_time", "schema", "profile", "created_by", "last_updated_by")


class EvaluationDatasetStore(EvaluationRecordStore):
    """Evaluation datasets of the namespace."""

    def create_dataset(
        self, name: str, tags: dict[str, str] | None = None, experiment_ids: list[str] | None = None
    ) -> EvaluationDataset:
        """Returns the new dataset."""
        now = time.time_ns() // 1_000_000
        user = (tags or {}).get(MLFLOW_USER)
        body = {
            "name": name,
            "digest": digest_of(name, now),
            "created_time": now,
            "last_update_time": now,
            "tags": tags or {},
            "schema": None,
            "profile": None,
            "created_by": user,
            "last_updated_by": user,
            "experiment_ids": [str(one) for one in experiment_ids or ()],
        }
        dataset_id = f"d-{uuid.uuid4().hex}"
        with translated():
            self.put_documents(put_of(DATASET, dataset_id, body))
        made = _entity(dataset_id, body)
        made.experiment_ids = body["experiment_ids"]
        return made

    def get_dataset(self, dataset_id: str) -> EvaluationDataset:
        """Returns a dataset without its records."""
        with translated():
            return _entity(dataset_id, self.read_dataset(dataset_id).body)

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete a dataset and its records, if it is there."""

        def attempt() -> None:
            found = self.find_document(DATASET, dataset_id)
            if found is None:
                WARNINGS.warning("Evaluation dataset with id %s not found.", shown(dataset_id))
                return
            gone = [deletion_of(RECORD, one) for one in self.find_documents(RECORD, parent_ids=[dataset_id])]
            first, *others = list(batches(gone)) or [[]]
            # From then on nobody reaches or adds records.
            self.put_documents(deletion_of(DATASET, found), *first)
            for batch in others:
                self.put_documents(*batch)

        until_first(attempt)

    def search_datasets(
        self,
        experiment_ids: list[str] | None = None,
        filter_string: str | None = None,
        max_results: int = 1000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[EvaluationDataset]:
        """Returns a page of datasets: all are read, and compared as MLflow's own words for it say."""
        check_max_results(max_results)
        first = page_start(page_token)
        conditions = SearchEvaluationDatasetsUtils.parse_search_filter(filter_string) if filter_string else []
        _check(conditions)
        orders = [
            SearchEvaluationDatasetsUtils.parse_order_by_for_search_evaluation_datasets(each)
            for each in order_by or ["created_time DESC"]
        ]
        wanted = {str(one) for one in experiment_ids or ()}
        with translated():
            found = [
                one
                for one in self.find_documents(DATASET)
                if (not wanted or wanted.intersection(one.body["experiment_ids"]))
                and all(_holds(one.body, each) for each in conditions)
            ]
        found.sort(key=lambda one: one.document_id, reverse=True)
        for kind, key, ascending in reversed(orders):
            if kind != "attribute":
                raise invalid(f"Invalid order_by entity: {kind}")
            found.sort(key=lambda one: one.body[key], reverse=not ascending)
        end = first + max_results
        page = [_entity(one.document_id, one.body) for one in found[first:end]]
        return PagedList(page, SearchUtils.create_page_token(end) if end < len(found) else None)

    def set_dataset_tags(self, dataset_id: str, tags: dict[str, Any]) -> None:
        """Set tags of a dataset; those of None stay as they are."""
        given = {key: str(value) for key, value in tags.items() if value is not None}
        self._change(dataset_id, lambda body: {**body, "tags": {**body["tags"], **given}})

    def delete_dataset_tag(self, dataset_id: str, key: str) -> None:
        """Remove a tag of a dataset, if both are there."""
        with translated():
            if self.find_document(DATASET, dataset_id) is None:
                return

        def without(body: dict[str, Any]) -> dict[str, Any]:
            return {**body, "tags": {name: text for name, text in body["tags"].items() if name != key}}

        self._change(dataset_id, without)

    def get_dataset_experiment_ids(self, dataset_id: str) -> list[str]:
        """Returns the experiments that a dataset belongs to; none of one that is not there."""
        with translated():
            found = self.find_document(DATASET, dataset_id)
        return [] if found is None else list(found.body["experiment_ids"])

    def add_dataset_to_experiments(self, dataset_id: str, experiment_ids: list[str]) -> EvaluationDataset:
        """Returns the dataset, which belongs to these experiments too."""
        with translated():
            self.read_dataset(dataset_id)
        given = [str(self.read_experiment(one).experiment_id) for one in experiment_ids]

        def with_them(body: dict[str, Any]) -> dict[str, Any]:
            ids = list(dict.fromkeys([*body["experiment_ids"], *given]))
            return {**body, "experiment_ids": ids, "last_update_time": time.time_ns() // 1_000_000}

        return self._change(dataset_id, with_them)

    def remove_dataset_from_experiments(self, dataset_id: str, experiment_ids: list[str]) -> EvaluationDataset:
        """Returns the dataset, which belongs to these experiments no more."""
        given = [str(one) for one in experiment_ids]
        with translated():
            before = self.read_dataset(dataset_id).body["experiment_ids"]
        for one in given:
            if one not in before:
                WARNINGS.warning("Dataset %s was not associated with experiment %s", shown(dataset_id), shown(one))

        def without(body: dict[str, Any]) -> dict[str, Any]:
            left = [one for one in body["experiment_ids"] if one not in given]
            if left == body["experiment_ids"]:
                return body
            return {**body, "experiment_ids": left, "last_update_time": time.time_ns() // 1_000_000}

        return self._change(dataset_id, without)

    def _change(self, dataset_id: str, change: Any) -> EvaluationDataset:
        """The dataset with the body that `change` makes of the one it has."""

        def attempt() -> EvaluationDataset:
            before = self.read_dataset(dataset_id)
            body = change(before.body)
            if body != before.body:
                self.put_documents(changed(DATASET, before, body))
            return _entity(dataset_id, body)

        return until_first(attempt)


def _entity(dataset_id: str, body: dict[str, Any]) -> EvaluationDataset:
    return EvaluationDataset(dataset_id=dataset_id, tags=dict(body["tags"]), **{name: body[name] for name in _FIELDS})


def _check(conditions: Sequence[dict[str, Any]]) -> None:
    """MlflowException for a comparison that a field does not have."""
    for one in conditions:
        numeric = one["type"] == "attribute" and one["key"] in SearchEvaluationDatasetsUtils.NUMERIC_ATTRIBUTES
        allowed = ("=", "!=", "<", "<=", ">", ">=") if numeric else ("=", "!=", "LIKE", "ILIKE")
        if one["comparator"].upper() not in allowed:
            raise _refused(one, "numeric attribute" if numeric else "string attribute")


def _refused(condition: dict[str, Any], what: str) -> MlflowException:
    return invalid(f"Invalid comparator for {what}: {condition['comparator']}")


def _holds(body: dict[str, Any], condition: dict[str, Any]) -> bool:
    """True if a condition holds; none does of what a dataset does not have."""
    key, wanted = condition["key"], condition["value"]
    value = body["tags"].get(key) if condition["type"] == "tag" else body[key]
    if value is None:
        return False
    if isinstance(value, int):
        wanted = float(wanted)
    return bool(SearchUtils.get_comparison_func(condition["comparator"].upper())(value, wanted))
