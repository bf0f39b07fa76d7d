"""Rows of files: as they are, and the history of those that a path had."""

from __future__ import annotations

from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.fold.tables import Row


def artifact_row(key: RunKey, path: str, size_bytes: int, digest: str, time_millis: int, ver: int) -> Row:
    """Row of `artifacts`. `digest`: hexadecimal digits of the SHA-256."""
    return (*key, path, size_bytes, digest, time_millis, ver)


def logged_row(artifact: Row) -> Row:
    """Row of `artifact_history` that goes with one of `artifacts`."""
    namespace, run_id, path, size_bytes, digest, time_millis, ver = artifact
    return (namespace, run_id, path, ver, 0, size_bytes, digest, time_millis, 0)


def deleted_row(key: RunKey, path: str, ver: int) -> Row:
    """Row of `artifact_history`: files of a path and below it are gone."""
    return (*key, path, ver, 1, 0, "", 0, 0)
