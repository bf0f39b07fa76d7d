"""Runs as documents: a row of `runs`, with params, tags and metrics beside it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from fleetlog_core.errors import shown
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.runs.document_cache import DocumentCache
from fleetlog_query.runs.ranges import RANGE_COLUMNS, ranges_of
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_keys import read_run_keys
from fleetlog_query.runs.run_rows import (
    BRANCH_COLUMNS,
    DELETE_COLUMN,
    RUN_COLUMNS,
    put_delete_times,
    runs_of,
)
from fleetlog_query.sql.as_of import AsOf, runs_source, summary_source
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import Branches, PointTables
from fleetlog_query.warehouse.rows import rows_of

PROBLEMS = 100
FEW_EXPERIMENTS = 8
"""Maximum of experiments in all of which runs are looked up; of more it is asked in which they are."""
_ATTRIBUTES, _PROBLEMS = "attributes", "problems"
"""Names of what is kept, beside read masks."""
_PROBLEM = "part, off, place, writer_id, sequence, reason, message, '' AS path, points, ingest_time"
_PENDING = (
    "part, off, toUInt32(bitAnd(ver, 1048575)) AS place, writer_id, sequence, 'ARTIFACT_PENDING' AS reason,"
    " reason AS message, path, toUInt64(0) AS points, ingest_time"
)


class Documents:
    """Reads documents. Those of now are kept by run, where there is a cache, until the run changes."""

    def __init__(self, warehouse: Warehouse, branches: Branches, cache: DocumentCache | None = None) -> None:
        self._warehouse = warehouse
        self._branches = branches
        self._cache = cache

    def read(
        self,
        namespace: str,
        run_ids: Sequence[bytes],
        mask: ReadMask,
        summaries: bool,
        as_of: AsOf | None = None,
        *,
        keep: bool = True,
    ) -> list[run_pb2.Run]:
        """The runs that are there, or were, in the order asked for. `keep`: they may be asked for again."""
        runs = self.attributes(namespace, run_ids, as_of, keep=keep)
        self.fill(namespace, runs, mask, summaries, as_of, keep=keep)
        return runs

    def attributes(
        self, namespace: str, run_ids: Sequence[bytes], as_of: AsOf | None = None, *,
        experiments: Sequence[int] = (), keep: bool = True,
    ) -> list[run_pb2.Run]:  # fmt: skip
        """The runs that are there, or were, with their attributes alone, in the order asked for.

        `experiments`: all that they may be in, where that is known.
        """

        def read(some: Sequence[bytes]) -> dict[bytes, run_pb2.Run]:
            return self._attributes(namespace, some, experiments, as_of)

        found = self._kept(namespace, run_ids, _ATTRIBUTES, read, keep=keep and as_of is None)
        runs = []
        for run_id in run_ids:
            if run_id in found:
                run = run_pb2.Run()
                run.CopyFrom(found[run_id])
                runs.append(run)
        return runs

    def fill(
        self,
        namespace: str,
        runs: Sequence[run_pb2.Run],
        mask: ReadMask,
        summaries: bool,
        as_of: AsOf | None = None,
        *,
        keep: bool = True,
    ) -> None:
        """Put what the mask names of params, tags and metrics into runs that have their attributes."""
        if not runs or not mask.kinds:
            return

        def read(some: Sequence[bytes]) -> dict[bytes, run_pb2.Run]:
            made = {run_id: run_pb2.Run() for run_id in some}
            read_run_keys(self._warehouse, namespace, some, mask, as_of, self._branches).put(made)
            if summaries and "metrics" in mask.kinds:
                self._summaries(namespace, made, as_of)
            return made

        name = frozenset(mask.kinds.items()), summaries
        run_ids = [bytes.fromhex(run.run_id) for run in runs]
        found = self._kept(namespace, run_ids, name, read, keep=keep and as_of is None)
        for run_id, run in zip(run_ids, runs, strict=True):
            run.MergeFrom(found[run_id])

    def _kept(
        self, namespace: str, run_ids: Sequence[bytes], name: Hashable,
        read: Callable[[Sequence[bytes]], dict[bytes, run_pb2.Run]], *, keep: bool,
        state: Hashable = None,
    ) -> dict[bytes, run_pb2.Run]:  # fmt: skip
        """Documents that are kept of the runs, and those that are read of the others."""
        if not run_ids or self._cache is None or not keep:
            return read(run_ids) if run_ids else {}
        moment = self._cache.moment(namespace)
        found = self._cache.found(moment, run_ids, name, state)
        missing = [run_id for run_id in dict.fromkeys(run_ids) if run_id not in found]
        if missing:
            fresh = read(missing)
            self._cache.keep(moment, name, fresh, state)
            found |= fresh
        return found

    def _attributes(
        self, namespace: str, run_ids: Sequence[bytes], experiments: Sequence[int], as_of: AsOf | None
    ) -> dict[bytes, run_pb2.Run]:
        binds = Binds()
        ids = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(run_ids)}"
        # A query within a query is analysed as often as it stands there: five times as of a position.
        few = 0 < len(experiments) <= FEW_EXPERIMENTS
        homes = binds.numbers(experiments) if few else f"(SELECT experiment FROM run_homes WHERE {ids})"
        where = f"{ids} AND experiment IN {homes}"
        columns = f"{RUN_COLUMNS}, {BRANCH_COLUMNS}{'' if as_of is not None else f', {DELETE_COLUMN}'}"
        answer = self._warehouse.select(
            Statement(
                f"SELECT {columns} FROM {runs_source(where, as_of, binds)} WHERE {where} AND deleted != {PURGED}",
                binds.values,
            )
        )
        if not answer.rows:
            return {}
        runs = runs_of(answer)
        if as_of is None:
            put_delete_times(answer, runs)
        return {bytes.fromhex(run.run_id): run for run in runs}

    def _summaries(self, namespace: str, runs: dict[bytes, run_pb2.Run], as_of: AsOf | None) -> None:
        binds = Binds()
        where = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(list(runs))}"
        tables = PointTables(namespace) if as_of is None else self._branches(namespace)
        source = summary_source(where, tables, as_of, binds)
        answer = self._warehouse.select(
            Statement(
                f"SELECT run_id, key, {RANGE_COLUMNS} FROM {source} WHERE {where} GROUP BY run_id, key",
                binds.values,
                wide=len(runs) > 100,
            )
        )
        ranges = dict(zip(rows_of(answer, "run_id", "key"), ranges_of(answer), strict=True))
        for run_id, run in runs.items():
            for metric in run.metrics:
                found = ranges.get((run_id, metric.key))
                if found is not None:
                    metric.range.CopyFrom(found)

    def problems(self, namespace: str, run_id: bytes, as_of: AsOf | None = None) -> list[run_pb2.Problem]:
        """Problems with events of a run, oldest first; artifacts that wait for their store are among it."""

        def read(some: Sequence[bytes]) -> dict[bytes, run_pb2.Run]:
            return {run_id: run_pb2.Run(problems=self._problems(namespace, run_id, as_of)) for run_id in some}

        # Artifacts that could be stored at last are told of by their table alone.
        versions = tuple(self._warehouse.version(table) for table in ("problems", "pending_artifacts"))
        known = as_of is None and None not in versions
        kept = self._kept(namespace, [run_id], _PROBLEMS, read, keep=known, state=versions)
        return list(kept[run_id].problems)

    def _problems(self, namespace: str, run_id: bytes, as_of: AsOf | None) -> list[run_pb2.Problem]:
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
            )
        )
        rows = rows_of(answer, "writer_id", "sequence", "points", "at", "reason", "message", "path")
        return [
            run_pb2.Problem(
                reason=reason, message=_waits(path, message) if path else message,
                writer_id=writer.hex(), sequence=sequence, ingest_time_millis=at, points=points,
            )
            for writer, sequence, points, at, reason, message, path in rows
        ]  # fmt: skip


def _waits(path: str, why: str) -> str:
    return f"path: {shown(path)} waits for the artifact store: {why}; it shows by itself once it is stored"
