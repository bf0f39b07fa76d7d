"""Artifacts of runs and logged models, as the warehouse knows them. Those that were deleted are not there."""

from __future__ import annotations

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import artifact_pb2

from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.rows import rows_of


class Artifacts:
    """Reads the table of artifacts."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def below(self, namespace: str, run_id: bytes, path: str, after: str, count: int) -> list[artifact_pb2.Artifact]:
        """Artifacts by path: those that are `path` or below it, behind `after`."""
        binds = Binds()
        where = self._where(namespace, run_id, binds)
        if path:
            where += f" AND (path = {binds.text(path)} OR startsWith(path, {binds.text(path + '/')}))"
        if after:
            where += f" AND path > {binds.text(after)}"
        return self._read(f"{where} ORDER BY path LIMIT {count}", binds)

    def at(self, namespace: str, run_id: bytes, path: str) -> artifact_pb2.Artifact | None:
        """The one of a path."""
        binds = Binds()
        where = f"{self._where(namespace, run_id, binds)} AND path = {binds.text(path)}"
        found = self._read(where, binds)
        return found[0] if found else None

    def _where(self, namespace: str, run_id: bytes, binds: Binds) -> str:
        ours = f"namespace = {binds.text(namespace)} AND run_id = unhex({binds.text(run_id.hex())})"
        # A file is gone when it, or a folder that it is in, was deleted after it was logged.
        gone = f"(SELECT groupArray((path, ver)) FROM artifact_deletions FINAL WHERE {ours})"
        return (
            f"{ours} AND NOT arrayExists(d -> ver < d.2"
            f" AND (d.1 = '' OR d.1 = path OR startsWith(path, concat(d.1, '/'))), {gone})"
        )

    def _read(self, where: str, binds: Binds) -> list[artifact_pb2.Artifact]:
        sql = (
            "SELECT path, size_bytes, sha256, toUnixTimestamp64Milli(ingest_time) AS at"
            f" FROM artifacts FINAL WHERE {where}"
        )
        answer = self._warehouse.select(binds.statement(sql))
        return [
            artifact_pb2.Artifact(path=path, size_bytes=size, sha256=bytes.fromhex(digest), ingest_time_millis=at)
            for path, size, digest, at in rows_of(answer, "path", "size_bytes", "sha256", "at")
        ]
