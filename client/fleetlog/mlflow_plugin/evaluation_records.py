"""Records of evaluation datasets, as MLflow's tracking store has them: a document each.

Records are put with the dataset that they belong to, in one decision of the revision that was read: its count, schema
and digest are those of the records that are there.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

from mlflow.entities.dataset_record import DatasetRecord
from mlflow.store.tracking import LOAD_DATASET_RECORDS_MAX_RESULTS
from mlflow.utils.mlflow_tags import MLFLOW_USER

from fleetlog.mlflow_plugin.dataset_records import (
    count_in,
    digest_of,
    hash_of,
    merged_record,
    new_record,
    profile_of,
    record_entity,
    schema_with,
)
from fleetlog.mlflow_plugin.documents import (
    DocumentStore,
    Kept,
    Put,
    batches,
    changed,
    deletion_of,
    put_of,
    until_first,
)
from fleetlog.mlflow_plugin.errors import missing, translated

DATASET, RECORD = "evaluation_dataset", "evaluation_record"
RECORDS_AT_ONCE = 500
"""Records that are read and put in one decision."""
WARNINGS = logging.getLogger("mlflow.store.tracking.sqlalchemy_store")
"""MLflow's name for these warnings: who silences or expects them does so by it."""


class EvaluationRecordStore(DocumentStore):
    """Records of the namespace's evaluation datasets."""

    def upsert_dataset_records(self, dataset_id: str, records: list[dict[str, Any]]) -> dict[str, int]:
        """Returns how many records were new, and how many had inputs that were there and were merged."""
        counts = {"inserted": 0, "updated": 0}
        for start in range(0, max(len(records), 1), RECORDS_AT_ONCE):
            some = records[start : start + RECORDS_AT_ONCE]
            inserted = until_first(lambda: self._upsert(dataset_id, some))  # noqa: B023
            counts["inserted"] += inserted
            counts["updated"] += len(some) - inserted
        return counts

    def delete_dataset_records(self, dataset_id: str, dataset_record_ids: list[str]) -> int:
        """Returns how many of these records were there and are deleted."""

        def attempt() -> int:
            dataset = self.read_dataset(dataset_id)
            ids = list(dict.fromkeys(dataset_record_ids))
            found = list(self.find_documents(RECORD, parent_ids=[dataset_id], document_ids=ids))
            left = count_in(dataset.body["profile"])
            for batch in batches([deletion_of(RECORD, one) for one in found]):
                left = max(0, left - len(batch))
                body = {**dataset.body, "profile": profile_of(left) or "null"}
                self.put_documents(*batch, changed(DATASET, dataset, body))
                dataset = Kept(dataset_id, "", "", dataset.revision + 1, body)
            return len(found)

        deleted = until_first(attempt)
        if not deleted:
            WARNINGS.warning("No records found to delete for dataset %s.", dataset_id)
        return deleted

    def _load_dataset_records(
        self, dataset_id: str, max_results: int | None = None, page_token: str | None = None
    ) -> tuple[list[DatasetRecord], str | None]:
        """A page of records, the oldest first, and the token of the next; all of them for max_results None."""
        if max_results is None and not page_token:
            with translated():
                every = self.find_documents(RECORD, parent_ids=[dataset_id])
                return [record_entity(one.body) for one in every], None
        size = max_results or LOAD_DATASET_RECORDS_MAX_RESULTS
        found, token = self.page_of_documents(RECORD, dataset_id, size, page_token)
        return [record_entity(one.body) for one in found], token

    def _upsert(self, dataset_id: str, records: Sequence[dict[str, Any]]) -> int:
        """How many were new. Of what is too much for one request the first part is put before the others."""
        dataset, now = self.read_dataset(dataset_id), time.time_ns() // 1_000_000
        keys = [f"{dataset_id}:{hash_of(record)}" for record in records]
        known = {one.unique_key: one for one in self.find_documents(RECORD, unique_keys=list(dict.fromkeys(keys)))}
        bodies = {key: one.body for key, one in known.items()}
        ids = {key: one.document_id for key, one in known.items()}
        for key, record in zip(keys, records, strict=True):
            if key in bodies:
                bodies[key] = merged_record(bodies[key], record, now)
            else:
                ids[key] = f"dr-{uuid.uuid4().hex}"
                bodies[key] = new_record(dataset_id, ids[key], record, now)
        puts = [
            put_of(
                RECORD, ids[key], bodies[key], parent_id=dataset_id, unique_key=key,
                revision=known[key].revision if key in known else 0,
            )
            for key in dict.fromkeys(keys)
        ]  # fmt: skip
        for batch in list(batches(puts)) or [[]]:
            dataset = self._put_with(dataset, batch, records, now)
        return sum(key not in known for key in dict.fromkeys(keys))

    def _put_with(self, dataset: Kept, batch: Sequence[Put], records: Sequence[dict[str, Any]], now: int) -> Kept:
        """The dataset as it is with a batch of its records."""
        count = count_in(dataset.body["profile"]) + sum(put.expected_revision == 0 for put in batch)
        users = [tags[MLFLOW_USER] for one in records if MLFLOW_USER in (tags := one.get("tags") or {})]
        body = {
            **dataset.body,
            "last_update_time": now,
            "last_updated_by": users[-1] if users else None,
            "digest": digest_of(dataset.body["name"], now),
            "schema": schema_with(dataset.body["schema"], records),
            "profile": profile_of(count) or dataset.body["profile"],
        }
        self.put_documents(*batch, changed(DATASET, dataset, body))
        return Kept(dataset.document_id, "", "", dataset.revision + 1, body)

    def read_dataset(self, dataset_id: str) -> Kept:
        """Returns the document of a dataset. MlflowException."""
        found = self.find_document(DATASET, dataset_id)
        if found is None:
            raise missing(f"Evaluation dataset with id '{dataset_id}' not found")
        return found
