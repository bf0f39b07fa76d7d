"""LogRun: one call as one frame of a writer of its own, whose id is the request's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.ids import new_run_id, parse_id
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.position import after, to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.control import check_request_id
from fleetlog_ingest.gateway.log_run_events import events_of, in_words_of_request
from fleetlog_ingest.gateway.quotas import StoredUse
from fleetlog_ingest.gateway.runs import RunStatus, check_admitted, run_status, writer_status
from fleetlog_ingest.gateway.screen import Screened, encoded, screen
from fleetlog_ingest.request_digests import check_same_request, digest_of_log_run

ExperimentOf = Callable[[ingest_pb2.LogRunRequest], Awaitable[int]]
"""The number of the experiment that a run to start is asked to be in."""


@dataclass(frozen=True)
class _Call:
    """What is known of a call before anything is looked up."""

    namespace: str
    run_id: bytes
    writer_id: bytes
    may_exist: bool
    """True if the caller named the run, so that it may be there."""


class LogRuns:
    """Takes the calls of one gateway. What is much work is done by threads of `executor`."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        executor: Executor,
        applied: AppliedWatch,
        telemetry: Telemetry,
        stored: StoredUse,
    ) -> None:
        self._stored = stored
        self._log = log
        self._warehouse = warehouse
        self._executor = executor
        self._applied = applied
        self._telemetry = telemetry

    async def take(
        self, request: ingest_pb2.LogRunRequest, timeout_seconds: float, experiment_of: ExperimentOf
    ) -> ingest_pb2.LogRunResponse:
        """See the proto."""
        began, loop = time.monotonic(), asyncio.get_running_loop()
        call = _call(request)
        # Before anything is asked or made: what is wrong with the request is wrong whatever there is.
        await loop.run_in_executor(self._executor, _frame, request, call, None, 0)
        status = await self._status(call, timeout_seconds)
        if status is None:
            await self._stored.admit_runs(call.namespace, 1)
        experiment = await experiment_of(request) if status is None else status.experiment
        screened = await loop.run_in_executor(self._executor, _frame, request, call, status, experiment)
        frame = screened.frame
        if status is not None:
            names = (call.namespace, call.run_id, call.writer_id)
            before = await loop.run_in_executor(self._executor, writer_status, self._warehouse, *names)
            if before is not None:
                check_same_request(before.request, frame.request_digest)
            check_admitted(status, before, frame)
        record = await asyncio.wrap_future(self._log.append(EVENTS, call.run_id, encoded(frame)))
        self._telemetry.frames.inc()
        self._telemetry.events.inc(len(frame.events))
        self._telemetry.points.inc(screened.points)
        self._telemetry.ack_seconds.observe(time.monotonic() - began)
        return ingest_pb2.LogRunResponse(
            run_id=call.run_id.hex(), position=to_proto(after(record)), experiment_id=experiment
        )

    async def _status(self, call: _Call, timeout_seconds: float) -> RunStatus | None:
        """The run, when it is there. One that is not is looked for again when all that the log has of it is applied."""
        if not call.may_exist:
            return None
        loop, names = asyncio.get_running_loop(), (call.namespace, call.run_id)
        status = await loop.run_in_executor(self._executor, run_status, self._warehouse, *names)
        if status is None:
            partition = Partition(EVENTS, partition_of(call.run_id, self._log.partitions(EVENTS)))
            end = await loop.run_in_executor(self._executor, self._log.next_offset, partition)
            await self._applied.wait({partition: end} if end else {}, timeout_seconds)
            status = await loop.run_in_executor(self._executor, run_status, self._warehouse, *names)
        if status is not None and status.purged:
            raise FailedPrecondition("RUN_DELETED", f"run {call.run_id.hex()} is deleted for good; name another run")
        return status


def _call(request: ingest_pb2.LogRunRequest) -> _Call:
    """InvalidArgument INVALID_ID, NAMESPACE_INVALID."""
    writer_id = check_request_id(request.request_id)
    namespace = check_namespace(request.namespace)
    if request.run_id:
        return _Call(namespace, parse_id(request.run_id), writer_id, may_exist=True)
    if request.request_id:
        return _Call(namespace, writer_id, writer_id, may_exist=True)
    return _Call(namespace, new_run_id(), writer_id, may_exist=False)


def _frame(request: ingest_pb2.LogRunRequest, call: _Call, status: RunStatus | None, experiment: int) -> Screened:
    """The frame for a run with that status. The refusal of any of its events is raised."""
    now = time.time_ns() // 1_000_000
    is_open = status is None or status.is_open
    opening = event_pb2.RUN_OPENING_JOIN if is_open else event_pb2.RUN_OPENING_ANNOTATE
    frame = frame_pb2.Frame(
        namespace=call.namespace,
        run_id=call.run_id,
        writer_id=call.writer_id,
        events=events_of(request, opening, experiment, now),
    )
    kept = frame_pb2.Frame()
    kept.CopyFrom(frame)
    screened = screen(frame, now)
    for _, error in screened.refused:
        raise in_words_of_request(error, kept)
    frame.request_digest = digest_of_log_run(request)
    encoded(frame)
    return screened
