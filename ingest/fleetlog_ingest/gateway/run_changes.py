"""Changes of a run that is there, by who does not write to it: its name, tags, state, and taking it away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from fleetlog_core.errors import FailedPrecondition, InvalidArgument
from fleetlog_core.ids import parse_id
from fleetlog_core.log.port import EVENTS, EventLog
from fleetlog_core.position import after, to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.control import check_request_id
from fleetlog_ingest.gateway.runs import run_not_found, run_status, writer_status
from fleetlog_ingest.gateway.screen import encoded, screen
from fleetlog_ingest.request_digests import check_same_request, digest_of_update

_ENDED = (event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_KILLED)


class RunChanges:
    """Writes changes into the log, each as a writer of its own. `reach` is awaited before anything is read."""

    def __init__(self, log: EventLog, warehouse: Warehouse, executor: Executor) -> None:
        self._log = log
        self._warehouse = warehouse
        self._executor = executor

    async def update(
        self, request: ingest_pb2.UpdateRunRequest, reach: Callable[[], Awaitable[None]]
    ) -> ingest_pb2.UpdateRunResponse:
        """See UpdateRun."""
        namespace = check_namespace(request.namespace)
        run_id = parse_id(request.run_id)
        writer_id, events = check_request_id(request.request_id), changes_of(request, time.time_ns() // 1_000_000)
        frame = frame_pb2.Frame(namespace=namespace, run_id=run_id, writer_id=writer_id, events=events)
        screened = screen(frame, time.time_ns() // 1_000_000)
        for _, error in screened.refused:
            raise error
        encoded(frame)
        await reach()
        loop = asyncio.get_running_loop()
        status = await loop.run_in_executor(self._executor, run_status, self._warehouse, namespace, run_id)
        if status is None or status.purged:
            raise run_not_found(run_id)
        frame.request_digest = digest_of_update(request)
        names = (namespace, run_id, writer_id)
        before = await loop.run_in_executor(self._executor, writer_status, self._warehouse, *names)
        if before is not None:
            check_same_request(before.request, frame.request_digest)
        # It joins the run where it is: an experiment of its own would be told of as a conflict.
        frame.events[0].run_started.experiment_id = status.experiment
        value = encoded(frame)
        record = await asyncio.wrap_future(self._log.append(EVENTS, run_id, value))
        return ingest_pb2.UpdateRunResponse(position=to_proto(after(record)))

    async def purge(
        self, request: ingest_pb2.PurgeRunRequest, reach: Callable[[], Awaitable[None]]
    ) -> ingest_pb2.PurgeRunResponse:
        """See PurgeRun."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        writer_id = check_request_id(request.request_id)
        await reach()
        loop = asyncio.get_running_loop()
        status = await loop.run_in_executor(self._executor, run_status, self._warehouse, namespace, run_id)
        names = (namespace, run_id, writer_id)
        repeat = await loop.run_in_executor(self._executor, writer_status, self._warehouse, *names)
        if status is None or (status.purged and repeat is None):
            raise run_not_found(run_id)
        if not status.deleted:
            raise FailedPrecondition("RUN_NOT_DELETED", f"run {request.run_id} is not deleted; delete it before")
        now = time.time_ns() // 1_000_000
        frame = frame_pb2.Frame(
            namespace=namespace, run_id=run_id, writer_id=writer_id, events=_purge(status.experiment, now),
            ingest_time_millis=now,
        )  # fmt: skip
        record = await asyncio.wrap_future(self._log.append(EVENTS, run_id, encoded(frame)))
        return ingest_pb2.PurgeRunResponse(position=to_proto(after(record)))


def _purge(experiment: int, now_millis: int) -> list[event_pb2.Event]:
    """The events of a writer that takes the run away."""
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_ANNOTATE, experiment_id=experiment)
    return [
        event_pb2.Event(sequence=1, observe_time_millis=now_millis, run_started=started),
        event_pb2.Event(sequence=2, observe_time_millis=now_millis, run_purged=event_pb2.RunPurged()),
    ]


def changes_of(request: ingest_pb2.UpdateRunRequest, now_millis: int) -> list[event_pb2.Event]:
    """The request as the events of a writer that opens the run beside the others, and says no more than this."""
    joined = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_JOIN)
    events = [event_pb2.Event(run_started=joined)]
    updated = event_pb2.RunUpdated(name=request.name if request.HasField("name") else None)
    # What ends a run is said as its training code says it.
    finished = request.state in _ENDED and (request.end_time_millis > 0 or not request.HasField("end_time_millis"))
    if not finished:
        updated.state = request.state
        if request.HasField("end_time_millis"):
            updated.end_time_millis = request.end_time_millis
    if updated.ByteSize():
        events.append(event_pb2.Event(run_updated=updated))
    if request.deleted_tags:
        events.append(event_pb2.Event(tags_deleted=event_pb2.TagsDeleted(keys=request.deleted_tags)))
    if request.tags:
        events.append(event_pb2.Event(tags_set=event_pb2.TagsSet(tags=request.tags)))
    if finished:
        ended = event_pb2.RunFinished(state=request.state, end_time_millis=request.end_time_millis)
        events.append(event_pb2.Event(run_finished=ended))
    if request.HasField("deleted"):
        hidden, shown = event_pb2.RunDeleted(), event_pb2.RunRestored()
        events.append(event_pb2.Event(run_deleted=hidden) if request.deleted else event_pb2.Event(run_restored=shown))
    if len(events) == 1:
        raise InvalidArgument(
            "NOTHING_TO_CHANGE", "the request changes nothing; give a name, tags, a state, an end or deleted"
        )
    for place, event in enumerate(events):
        event.sequence = place + 1
        event.observe_time_millis = now_millis
    return events
