"""Artifacts of runs and logged models, as the warehouse knows them. Those that were deleted are not there."""

from __future__ import annotations

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import artifact_pb2

from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.files import below, check_reach, file_rows
from fleetlog_query.warehouse.rows import rows_of


class Artifacts:
    """Reads the tables of artifacts. `as_of`: as they were then; None = as they are. AS_OF_TOO_EARLY."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def below(
        self, namespace: str, run_id: bytes, path: str, after: str, count: int, as_of: AsOf | None = None
    ) -> list[artifact_pb2.Artifact]:
        """Artifacts by path: those that are `path` or below it, behind `after`."""
        binds = Binds()
        paths = below(path, binds)
        if after:
            paths += f" AND path > {binds.text(after)}"
        return self._read(namespace, run_id, paths, count, as_of, binds)

    def at(
        self, namespace: str, run_id: bytes, path: str, as_of: AsOf | None = None
    ) -> artifact_pb2.Artifact | None:  # fmt: skip
        """The one of a path."""
        binds = Binds()
        found = self._read(namespace, run_id, f"path = {binds.text(path)}", 1, as_of, binds)
        return found[0] if found else None

    def _read(
        self, namespace: str, run_id: bytes, paths: str, count: int, as_of: AsOf | None, binds: Binds
    ) -> list[artifact_pb2.Artifact]:
        def owners(binds: Binds) -> str:
            return f"namespace = {binds.text(namespace)} AND run_id = {binds.run_id(run_id)}"

        if as_of is not None:
            check_reach(owners, as_of, self._warehouse.select)
        sql = (
            "SELECT path, size_bytes, sha256, toUnixTimestamp64Milli(ingest_time) AS at"
            f" {file_rows(owners(binds), paths, as_of, binds)} ORDER BY path LIMIT {count}"
        )
        answer = self._warehouse.select(binds.statement(sql))
        return [
            artifact_pb2.Artifact(path=path, size_bytes=size, sha256=bytes.fromhex(digest), ingest_time_millis=at)
            for path, size, digest, at in rows_of(answer, "path", "size_bytes", "sha256", "at")
        ]
