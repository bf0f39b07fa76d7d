"""Runs as documents: a row of `runs`, with params, tags and metrics beside it."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.errors import shown
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.runs.ranges import RANGE_COLUMNS, ranges_of
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_keys import RunKeys, read_run_keys
from fleetlog_query.runs.run_rows import DELETE_COLUMN, RUN_COLUMNS, put_delete_times, runs_of
from fleetlog_query.sql.as_of import AsOf, runs_source, summary_source
from fleetlog_query.sql.binds import Binds

PROBLEMS = 100
_PROBLEM = "part, off, place, writer_id, sequence, reason, message, '' AS path, points, ingest_time"
_PENDING = (
    "part, off, toUInt32(bitAnd(ver, 1048575)) AS place, writer_id, sequence, 'ARTIFACT_PENDING' AS reason,"
    " reason AS message, path, toUInt64(0) AS points, ingest_time"
)


class Documents:
    """Reads documents."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def read(
        self,
        namespace: str,
        run_ids: Sequence[bytes],
        mask: ReadMask,
        summaries: bool,
        timeout_seconds: float,
        as_of: AsOf | None = None,
    ) -> list[run_pb2.Run]:
        """The runs that are there, or were, in the order asked for."""
        if not run_ids:
            return []
        binds = Binds()
        ids = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(run_ids)}"
        where = f"{ids} AND experiment IN (SELECT experiment FROM run_homes WHERE {ids})"
        columns = RUN_COLUMNS if as_of is not None else f"{RUN_COLUMNS}, {DELETE_COLUMN}"
        answer = self._warehouse.select(
            Statement(
                f"SELECT {columns} FROM {runs_source(where, as_of, binds)} WHERE {where}",
                binds.values,
            ),
            timeout_seconds=timeout_seconds,
        )
        found = {run.run_id: run for run in runs_of(answer)}
        if as_of is None:
            put_delete_times(answer, found.values())
        runs = [found[run_id.hex()] for run_id in run_ids if run_id.hex() in found]
        self.fill(namespace, runs, mask, summaries, timeout_seconds, as_of)
        return runs

    def fill(
        self,
        namespace: str,
        runs: Sequence[run_pb2.Run],
        mask: ReadMask,
        summaries: bool,
        timeout_seconds: float,
        as_of: AsOf | None = None,
        keys: RunKeys | None = None,
    ) -> None:
        """Put what the mask names of params, tags and metrics into runs that have their attributes.

        `keys`: what was read of it already.
        """
        by_id = {bytes.fromhex(run.run_id): run for run in runs}
        if by_id and mask.kinds:
            keys = keys or read_run_keys(self._warehouse, namespace, list(by_id), mask, timeout_seconds, as_of)
            keys.put(by_id)
        if by_id and summaries and "metrics" in mask.kinds:
            self._summaries(namespace, by_id, timeout_seconds, as_of)

    def _summaries(
        self, namespace: str, runs: dict[bytes, run_pb2.Run], timeout_seconds: float, as_of: AsOf | None
    ) -> None:
        binds = Binds()
        where = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(list(runs))}"
        source = summary_source(where, namespace, as_of, binds)
        answer = self._warehouse.select(
            Statement(
                f"SELECT run_id, key, {RANGE_COLUMNS} FROM {source} WHERE {where} GROUP BY run_id, key",
                binds.values,
                wide=len(runs) > 100,
            ),
            timeout_seconds=timeout_seconds,
        )
        ids = [bytes(run_id) for run_id in answer.array("run_id").tolist()]
        ranges = dict(zip(zip(ids, answer.texts("key"), strict=True), ranges_of(answer), strict=True))
        for run_id, run in runs.items():
            for metric in run.metrics:
                found = ranges.get((run_id, metric.key))
                if found is not None:
                    metric.range.CopyFrom(found)

    def problems(
        self, namespace: str, run_id: bytes, timeout_seconds: float, as_of: AsOf | None = None
    ) -> list[run_pb2.Problem]:
        """What went wrong with events of a run, oldest first; artifacts that wait for their store are among it."""
        binds = Binds()
        before = f" AND off < {as_of.bound(binds)}" if as_of is not None else ""
        where = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids([run_id])}{before}"
        order = f"ORDER BY part, off, place LIMIT {PROBLEMS}"
        answer = self._warehouse.select(
            Statement(
                "SELECT writer_id, sequence, reason, message, path, points, toUnixTimestamp64Milli(ingest_time) AS at"
                f" FROM (SELECT {_PROBLEM} FROM problems FINAL WHERE {where} {order}"
                f" UNION ALL SELECT {_PENDING} FROM pending_artifacts FINAL WHERE {where} AND stored = 0 {order})"
                f" {order}",
                binds.values,
            ),
            timeout_seconds=timeout_seconds,
        )
        rows = zip(
            answer.array("writer_id").tolist(), answer.array("sequence").tolist(), answer.array("points").tolist(),
            answer.array("at").tolist(), answer.texts("reason"), answer.texts("message"),
            answer.texts("path"), strict=True,
        )  # fmt: skip
        return [
            run_pb2.Problem(
                reason=reason, message=_waits(path, message) if path else message,
                writer_id=bytes(writer).hex(), sequence=sequence, ingest_time_millis=at, points=points,
            )
            for writer, sequence, points, at, reason, message, path in rows
        ]  # fmt: skip


def _waits(path: str, why: str) -> str:
    return f"path: {shown(path)} waits for the artifact store: {why}; it shows by itself once it is stored"
