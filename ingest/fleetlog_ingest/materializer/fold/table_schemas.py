"""Columns of the tables that are filled row by row, and how each is made of its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from fleetlog_core.warehouse.port import Coded, Column


def coded(values: Sequence[str]) -> Coded:
    """Texts as codes, by first appearance."""
    texts = list(dict.fromkeys(values))
    places = {text: place for place, text in enumerate(texts)}
    return Coded(np.fromiter(map(places.__getitem__, values), np.uint32, len(values)), texts)


def in_order(values: Sequence[str]) -> Coded:
    """Texts as codes, of which one text is less than another when its code is."""
    texts = sorted(set(values))
    places = {text: place for place, text in enumerate(texts)}
    return Coded(np.fromiter(map(places.__getitem__, values), np.uint32, len(values)), texts)


def fixed16(values: Sequence[bytes]) -> Column:
    """16-byte values as V16."""
    return np.frombuffer(b"".join(values), dtype="V16")


def _of(dtype: type[np.generic]) -> Callable[[Sequence[Any]], Column]:
    return lambda values: np.array(values, dtype=dtype)


_u8, _u16, _u32, _u64 = _of(np.uint8), _of(np.uint16), _of(np.uint32), _of(np.uint64)
_i32, _i64, _f64 = _of(np.int32), _of(np.int64), _of(np.float64)
_text: Callable[[Sequence[Any]], Column] = list

SCHEMAS: Mapping[str, Mapping[str, Callable[[Sequence[Any]], Column]]] = {
    "run_touches": {"namespace": coded, "experiment": _u32, "run_id": fixed16, "until": _u64},
    "run_homes": {"namespace": coded, "run_id": fixed16, "experiment": _u32},
    "runs": {
        "namespace": coded,
        "experiment": _u32,
        "run_id": fixed16,
        "name": _text,
        "user": coded,
        "state": _u8,
        "start_time": _i64,
        "end_time": _i64,
        "parent_run_id": fixed16,
        "deleted": _u8,
        "started": _u8,
        "ver": _u64,
        "delete_time": _i64,
        "endings": _text,
    },
    "branch_segments": {
        "namespace": coded,
        "run_id": fixed16,
        "source_run_id": fixed16,
        "max_step": _i64,
        "next_offset": _i64,
        "part": _u16,
        "off": _i64,
    },
    "run_skews": {"namespace": coded, "experiment": _u32, "ahead": _i64, "behind": _i64},
    "artifacts": {
        "namespace": coded,
        "run_id": fixed16,
        "path": _text,
        "size_bytes": _u64,
        "sha256": _text,
        "ingest_time": _i64,
        "ver": _u64,
    },
    "pending_artifacts": {
        "namespace": coded,
        "run_id": fixed16,
        "part": _u16,
        "off": _i64,
        "ver": _u64,
        "path": _text,
        "size_bytes": _u64,
        "sha256": _text,
        "writer_id": fixed16,
        "sequence": _u64,
        "reason": coded,
        "ingest_time": _i64,
        "stored": _u8,
    },
    "artifact_deletions": {"namespace": coded, "run_id": fixed16, "path": _text, "ver": _u64},
    "artifact_history": {
        "namespace": coded,
        "run_id": fixed16,
        "path": _text,
        "ver": _u64,
        "deleted": _u8,
        "size_bytes": _u64,
        "sha256": _text,
        "ingest_time": _i64,
        "copied": _u8,
    },
    "logged_models": {
        "namespace": coded,
        "model_id": fixed16,
        "experiment": _u32,
        "name": _text,
        "source_run_id": fixed16,
        "model_type": _text,
        "status": _u8,
        "status_message": _text,
        "create_time": _i64,
        "update_time": _i64,
        "deleted": _u8,
        "purged": _u8,
        "made": _u8,
        "ver": _u64,
    },
    "model_attrs": {
        "namespace": coded,
        "model_id": fixed16,
        "kind": _u8,
        "key": coded,
        "str": _text,
        "removed": _u8,
        "ver": _u64,
    },
    "problems": {
        "namespace": coded,
        "run_id": fixed16,
        "part": _u16,
        "off": _i64,
        "place": _u32,
        "writer_id": fixed16,
        "sequence": _u64,
        "reason": coded,
        "message": _text,
        "points": _u64,
        "ingest_time": _i64,
    },
    "writers": {
        "namespace": coded,
        "run_id": fixed16,
        "writer_id": fixed16,
        "rank": _i32,
        "ranges": _text,
        "next_offset": _u64,
        "request": _u64,
        "at_work": _u64,
    },
    "experiments": {
        "namespace": coded,
        "experiment": _u32,
        "name": _text,
        "tags": _text,
        "create_time": _i64,
        "update_time": _i64,
        "deleted": _u8,
        "ver": _u64,
        "artifact_location": _text,
    },
    "outcomes": {
        "namespace": coded,
        "request_id": fixed16,
        "accepted": _u8,
        "experiment": _u32,
        "reason": coded,
        "message": _text,
        "off": _u64,
        "request": _u64,
        "result": _text,
    },
    "registered_models": {
        "namespace": coded,
        "model_id": _u64,
        "name": _text,
        "deleted": _u8,
        "ver": _u64,
        "state": _text,
    },
    "model_versions": {
        "namespace": coded,
        "model_id": _u64,
        "version": _u64,
        "stage": _u8,
        "run_id": _text,
        "deleted": _u8,
        "ver": _u64,
        "state": _text,
    },
    "model_approvals": {
        "namespace": coded,
        "model_id": _u64,
        "number": _u64,
        "decision": _u8,
        "ver": _u64,
        "state": _text,
    },
    "registry_history": {
        "namespace": coded,
        "model_id": _u64,
        "ver": _u64,
        "place": _u32,
        "kind": _u8,
        "number": _u64,
        "action": _u8,
        "version": _u64,
        "user": coded,
        "time": _i64,
        "subject": _text,
        "old_value": _text,
        "new_value": _text,
        "comment": _text,
        "approval": _u64,
        "request_id": fixed16,
        "state": _text,
    },
    "webhooks": {
        "namespace": coded,
        "webhook_id": _u64,
        "ver": _u64,
        "deleted": _u8,
        "state": _text,
        "sealed_secret": _text,
    },
    "tokens": {"token_id": _text, "ver": _u64, "state": _text, "salt": _text, "digest": _text},
    "documents": {
        "namespace": coded,
        "kind": coded,
        "document_id": _text,
        "ver": _u64,
        "revision": _u64,
        "made": _u64,
        "parent_id": _text,
        "unique_key": _text,
        "deleted": _u8,
        "create_time": _i64,
        "update_time": _i64,
        "create_user": coded,
        "update_user": coded,
        "body_bytes": _u64,
        "body": _text,
    },
    "log_times": {
        "topic": coded,
        "part": _u16,
        "span": _u32,
        "begin": _i64,
        "first": _u64,
        "next_offset": _u64,
        "partitions": _u32,
        "place": _u32,
        "namespace": coded,
        "subject": fixed16,
        "of_model": _u8,
        "experiment": _u32,
        "time": _i64,
        "principal": coded,
        "token_name": coded,
        "gateway": coded,
        "kinds": coded,
        "detail": _text,
        "request_id": fixed16,
    },
    "applied": {"topic": coded, "part": _u16, "next_offset": _u64},
}
"""Columns of the tables that are filled row by row, in the order of a row."""
