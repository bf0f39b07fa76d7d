"""Records of evaluation datasets, and what their dataset tells of them, as documents' bodies. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities.dataset_record import DatasetRecord
from mlflow.entities.dataset_record_source import DatasetRecordSource
from mlflow.utils.mlflow_tags import MLFLOW_USER

_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"), (int, "integer"), (float, "float"), (str, "string"), (list, "array"), (dict, "object"),
)  # fmt: skip
"""Words for types of values. True is an integer, too: it comes first."""


def hash_of(record: Mapping[str, Any]) -> str:
    """Returns what tells the inputs of a record from others: of a dataset each has one record."""
    return hashlib.sha256(json.dumps(record.get("inputs", {}), sort_keys=True).encode()).hexdigest()


def new_record(dataset_id: str, record_id: str, record: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Returns the body of a record that is given for the first time."""
    source = record.get("source")
    if isinstance(source, dict):
        source = DatasetRecordSource.from_dict(source)
    tags = record.get("tags")
    user = (tags or {}).get(MLFLOW_USER)
    made = DatasetRecord(
        dataset_record_id=record_id,
        dataset_id=dataset_id,
        inputs=record.get("inputs", {}),
        outputs=record.get("outputs", {}),
        created_time=now,
        last_update_time=now,
        expectations=record.get("expectations"),
        tags=tags,
        source=source,
        created_by=user,
        last_updated_by=user,
    )
    return _body(made)


def merged_record(before: Mapping[str, Any], record: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Returns the body with what is given anew: outputs replaced, expectations and tags one by one."""
    after = {**before, "last_update_time": now}
    if "outputs" in record:
        after["outputs"] = record["outputs"]
    for name in ("expectations", "tags"):
        if given := record.get(name):
            after[name] = {**(after.get(name) or {}), **given}
    if (given := record.get("tags")) and MLFLOW_USER in given:
        after["last_updated_by"] = given[MLFLOW_USER]
    return after


def record_entity(body: Mapping[str, Any]) -> DatasetRecord:
    """Returns the record of its body."""
    return DatasetRecord.from_dict(dict(body))


def schema_with(schema: str | None, records: Sequence[Mapping[str, Any]]) -> str | None:
    """Returns the schema, JSON, with the types of fields that it had not seen; None = there is nothing to tell."""
    if not records and not schema:
        return None
    told: dict[str, Any] = (
        json.loads(schema) if schema else {"inputs": {}, "outputs": {}, "expectations": {}, "version": "1.0"}
    )
    for record in records:
        for part in ("inputs", "outputs", "expectations"):
            fields = record.get(part)
            if isinstance(fields, dict) and isinstance(told[part], dict):
                for key, value in fields.items():
                    told[part].setdefault(key, _type_of(value))
            elif fields is not None and not told[part]:
                told[part] = _type_of(fields)
    return json.dumps(told)


def profile_of(count: int) -> str | None:
    """Returns the profile of a dataset with so many records, JSON."""
    return json.dumps({"num_records": count}) if count else None


def count_in(profile: str | None) -> int:
    """Returns the number of records that a profile tells."""
    return int((json.loads(profile) or {}).get("num_records", 0)) if profile else 0


def digest_of(name: str, time_millis: int) -> str:
    """Returns the digest of a dataset that was changed at a time."""
    return hashlib.sha256(f"{name}:{time_millis}".encode()).hexdigest()[:8]


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    return next((word for kind, word in _TYPES if isinstance(value, kind)), "unknown")


def _body(record: DatasetRecord) -> dict[str, Any]:
    return {
        "dataset_record_id": record.dataset_record_id,
        "dataset_id": record.dataset_id,
        "inputs": record.inputs,
        "outputs": record.outputs,
        "expectations": record.expectations,
        "tags": record.tags,
        "source": None if record.source is None else record.source.to_dict(),
        "source_id": record.source_id,
        "source_type": record.source_type,
        "created_time": record.created_time,
        "last_update_time": record.last_update_time,
        "created_by": record.created_by,
        "last_updated_by": record.last_updated_by,
    }
