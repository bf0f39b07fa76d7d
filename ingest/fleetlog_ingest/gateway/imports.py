"""ImportRuns: a table of runs as records of the log, one for each partition that its runs belong to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.position import after, merge, to_proto
from fleetlog_core.rules.imports import I64, check_import, ids_of
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.control import check_request_id
from fleetlog_ingest.gateway.quotas import StoredUse
from fleetlog_ingest.gateway.screen import encoded
from fleetlog_ingest.gateway.subsets import Mask, subset
from fleetlog_ingest.imported_before import rows_of_runs


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Keys and values of the records, and how many runs, with how many points, they hold."""

    records: Sequence[tuple[bytes, bytes]]
    imported: int
    existing: int
    points: int


class Imports:
    """Takes tables of runs. What is much work is done by threads of `executor`."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        executor: Executor,
        telemetry: Telemetry,
        run_limits: RunLimits | None = None,
        stored: StoredUse | None = None,
    ) -> None:
        self._stored = stored or StoredUse(warehouse, executor)
        self._log = log
        self._warehouse = warehouse
        self._executor = executor
        self._telemetry = telemetry
        self._run_limits = run_limits

    async def take(self, request: ingest_pb2.ImportRunsRequest) -> ingest_pb2.ImportRunsResponse:
        """See the proto. InvalidArgument, ResourceExhausted."""
        began = time.monotonic()
        prepared = await asyncio.get_running_loop().run_in_executor(self._executor, self._prepare, request)
        await self._stored.admit_runs(request.namespace, prepared.imported)
        appended = [self._log.append(EVENTS, key, value) for key, value in prepared.records]
        position: dict[Partition, int] = {}
        for record in await asyncio.gather(*map(asyncio.wrap_future, appended)):
            position = merge(position, after(record))
        if appended:
            self._telemetry.frames.inc(len(appended))
            self._telemetry.events.inc(prepared.imported)
            self._telemetry.points.inc(prepared.points)
            self._telemetry.ack_seconds.observe(time.monotonic() - began)
        return ingest_pb2.ImportRunsResponse(
            position=to_proto(position), imported=prepared.imported, existing=prepared.existing
        )

    def _prepare(self, request: ingest_pb2.ImportRunsRequest) -> _Prepared:
        namespace, runs = check_namespace(request.namespace), request.runs
        writer_id = check_request_id(request.request_id)
        check_import(runs, "runs", self._run_limits)
        new, partitions = self._new(namespace, runs), self._partitions(runs)
        pieces = [subset(runs, new & (partitions == number)) for number in np.unique(partitions[new]).tolist()]
        ingest_time = time.time_ns() // 1_000_000
        records = [_record(namespace, writer_id, piece, ingest_time) for piece in pieces]
        points = sum(len(metric.values) for piece in pieces for metric in piece.metrics)
        return _Prepared(records, int(new.sum()), int((~new).sum()), points)

    def _new(self, namespace: str, runs: event_pb2.RunsImported) -> Mask:
        """The runs that are not there yet, as far as the tables know: for those between here and there the fold is."""
        ids = _bytes_of(runs)
        there: set[bytes] = set()
        for rows in rows_of_runs(self._warehouse, "run_homes", ["run_id"], namespace, ids):
            there.update(rows.array("run_id").tolist())
        return np.array([run_id not in there for run_id in ids], dtype=np.bool_)

    def _partitions(self, runs: event_pb2.RunsImported) -> I64:
        """The partition of each run: events of one run are in one."""
        ids, count = _bytes_of(runs), self._log.partitions(EVENTS)
        if count == 1:
            return np.zeros(len(ids), dtype=np.int64)
        return np.array([partition_of(run_id, count) for run_id in ids], dtype=np.int64)


def _bytes_of(runs: event_pb2.RunsImported) -> list[bytes]:
    found: list[bytes] = ids_of(runs).tolist()
    return found


def _record(
    namespace: str, writer_id: bytes, runs: event_pb2.RunsImported, ingest_time_millis: int
) -> tuple[bytes, bytes]:
    key = runs.run_ids[:16]
    frame = frame_pb2.Frame(namespace=namespace, run_id=key, writer_id=writer_id, ingest_time_millis=ingest_time_millis)
    frame.events.add(sequence=1, observe_time_millis=ingest_time_millis).runs_imported.CopyFrom(runs)
    return key, encoded(frame)
