"""Changes of many runs alike: a record for each of them, of a writer whose id is the request's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import ResourceExhausted, check_count
from fleetlog_core.ids import parse_id
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.position import after, merge, to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.control import check_request_id
from fleetlog_ingest.gateway.run_changes import changes_of
from fleetlog_ingest.gateway.runs import run_statuses, writer_statuses
from fleetlog_ingest.gateway.screen import encoded, screen
from fleetlog_ingest.request_digests import check_same_request, digest_of_update

READ_SECONDS = 30.0


@dataclass(frozen=True)
class _Change:
    """What is asked of each run, checked."""

    namespace: str
    run_ids: list[bytes]
    writer_id: bytes
    frame: frame_pb2.Frame
    """Frame of a run, without its id and its experiment."""


class BulkChanges:
    """Writes changes of many runs into the log. What is much work is done by threads of `executor`."""

    def __init__(self, log: EventLog, warehouse: Warehouse, executor: Executor) -> None:
        self._log = log
        self._warehouse = warehouse
        self._executor = executor

    async def update(
        self, request: ingest_pb2.UpdateRunsRequest, reach: Callable[[], Awaitable[None]]
    ) -> ingest_pb2.UpdateRunsResponse:
        """See UpdateRuns. `reach` is awaited before anything is read."""
        change = _change(request)
        await reach()
        loop = asyncio.get_running_loop()
        records, missing = await loop.run_in_executor(self._executor, self._records, change)
        position: dict[Partition, int] = {}
        appended = [self._log.append(EVENTS, run_id, value) for run_id, value in records]
        for record in await asyncio.gather(*map(asyncio.wrap_future, appended)):
            position = merge(position, after(record))
        return ingest_pb2.UpdateRunsResponse(
            position=to_proto(position), missing_run_ids=[run_id.hex() for run_id in missing]
        )

    def _records(self, change: _Change) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
        """Keys and values of the records, and the runs that are not there. REQUEST_ID_REUSED."""
        names = [(change.namespace, run_id) for run_id in change.run_ids]
        statuses = run_statuses(self._warehouse, names, READ_SECONDS)
        before = writer_statuses(self._warehouse, change.namespace, change.run_ids, change.writer_id)
        for writer in before.values():
            check_same_request(writer.request, change.frame.request_digest)
        records: list[tuple[bytes, bytes]] = []
        missing: list[bytes] = []
        for run_id in change.run_ids:
            status = statuses.get((change.namespace, run_id))
            if status is None or status.purged:
                missing.append(run_id)
                continue
            change.frame.run_id = run_id
            # It joins the run where it is: an experiment of its own would be told of as a conflict.
            change.frame.events[0].run_started.experiment_id = status.experiment
            records.append((run_id, encoded(change.frame)))
        return records, missing


def _change(request: ingest_pb2.UpdateRunsRequest) -> _Change:
    """The change that is asked for. InvalidArgument, ResourceExhausted FRAME_TOO_LARGE and UPDATE_TOO_LARGE."""
    check_count("run_ids", len(request.run_ids), 1, limits.RUNS_PER_UPDATE)
    namespace, now = check_namespace(request.namespace), time.time_ns() // 1_000_000
    run_ids = list(dict.fromkeys(parse_id(one, f"run_ids[{place}]") for place, one in enumerate(request.run_ids)))
    writer_id = check_request_id(request.request_id)
    asked = _of_one(request)
    frame = frame_pb2.Frame(namespace=namespace, run_id=run_ids[0], writer_id=writer_id, events=changes_of(asked, now))
    for _, error in screen(frame, now).refused:
        raise error
    frame.request_digest = digest_of_update(asked)
    size = len(encoded(frame)) * len(run_ids)
    if size > limits.UPDATE_BYTES:
        what = f"{size:,} bytes for {len(run_ids):,} runs, at most {limits.UPDATE_BYTES:,}; change fewer runs at once"
        raise ResourceExhausted("UPDATE_TOO_LARGE", what)
    return _Change(namespace, run_ids, writer_id, frame)


def _of_one(request: ingest_pb2.UpdateRunsRequest) -> ingest_pb2.UpdateRunRequest:
    """The change as UpdateRun asks it of one run: a request id stands for the same with both."""
    return ingest_pb2.UpdateRunRequest(
        tags=request.tags,
        deleted_tags=request.deleted_tags,
        state=event_pb2.RunState.ValueType(request.state),
        deleted=request.deleted if request.HasField("deleted") else None,
    )
