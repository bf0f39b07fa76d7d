"""IngestService over the ports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from fleetlog_core import limits
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from fleetlog_core.ids import parse_id
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.ends import next_offsets
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.position import after, from_proto, to_proto
from fleetlog_core.rules.names import (
    check_artifact_location,
    check_experiment_name,
    check_key,
    check_namespace,
    check_tags,
)
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import event_pb2, experiment_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc, position_pb2

from fleetlog_ingest.gateway import upload_slots
from fleetlog_ingest.gateway.admission import Admission
from fleetlog_ingest.gateway.backlog import Backlog
from fleetlog_ingest.gateway.branches import Branches
from fleetlog_ingest.gateway.control import Control, Decided, check_request_id, timeout_seconds
from fleetlog_ingest.gateway.direct_uploads import PartUploads
from fleetlog_ingest.gateway.heartbeat_pace import HeartbeatPace
from fleetlog_ingest.gateway.heartbeats import Heartbeats
from fleetlog_ingest.gateway.imports import Imports
from fleetlog_ingest.gateway.log_run import LogRuns
from fleetlog_ingest.gateway.quotas import StoredUse
from fleetlog_ingest.gateway.run_watch import AGAIN_SECONDS, RunWatch
from fleetlog_ingest.gateway.runs import run_not_found, run_status, writer_status
from fleetlog_ingest.gateway.screen import encoded, screen
from fleetlog_ingest.gateway.stream import AppendStream
from fleetlog_ingest.gateway.upload_slots import UploadSlots
from fleetlog_ingest.gateway.uploads import Uploader
from fleetlog_ingest.request_digests import check_same_request, digest_of_update

_ENDED = (event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_KILLED)
COMPLETING = 4
"""Threads beside those of uploads that put parts together."""
DecidedExperiment = tuple[experiment_pb2.Experiment, Mapping[Partition, int]]


class IngestServicer(ingest_pb2_grpc.IngestServiceServicer):
    """See protos/fleetlog/v1/ingest.proto."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        objects: ObjectStore,
        applied: AppliedWatch,
        *,
        telemetry: Telemetry | None = None,
        run_limits: RunLimits | None = None,
        again_seconds: float = AGAIN_SECONDS,
        pace: HeartbeatPace | None = None,
    ) -> None:
        self._log = log
        self._warehouse = warehouse
        self._objects = objects
        self._parts = PartUploads(objects)
        self._telemetry = telemetry or Telemetry()
        self._run_limits = run_limits
        self._draining = asyncio.Event()
        self._executor = ContextThreads(8, "gateway")
        # Uploads hold a thread as long as their clients take: nobody else may wait for theirs.
        self._uploading = ContextThreads(upload_slots.THREADS + COMPLETING, "uploads")
        self._uploader = Uploader(objects, self._uploading, UploadSlots(self._telemetry))
        self._backlog = Backlog(applied, lambda reason: self._telemetry.limited.labels(reason).inc())
        self._heartbeats = Heartbeats(log, pace)
        self._applied = applied
        self._watch = RunWatch(warehouse, self._executor, again_seconds)
        self._admission = Admission(log, warehouse, self._executor, applied, self._watch)
        self._control = Control(log, warehouse, applied, self._executor)
        self._branches = Branches(log, warehouse, applied, self._executor)
        self._stored = StoredUse(warehouse, self._executor)
        self._imports = Imports(log, warehouse, self._executor, self._telemetry, run_limits, self._stored)
        self._log_runs = LogRuns(log, warehouse, self._executor, applied, self._telemetry, self._stored)

    def drain(self) -> None:
        """End every stream as soon as what it took is answered, so that clients move on. From the event loop."""
        self._draining.set()
        self._watch.stop()
        self._heartbeats.stop()
        self._backlog.close()

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()
        self._uploading.shutdown()

    async def AppendEvents(  # noqa: N802
        self, request_iterator: AsyncIterator[ingest_pb2.AppendEventsRequest], context: Context
    ) -> AsyncIterator[ingest_pb2.AppendEventsResponse]:
        """See the proto."""
        stream = AppendStream(
            self._log, self._admission, self._telemetry, self._draining, self._run_limits, self._backlog,
            self._heartbeats, self._stored,
        )  # fmt: skip
        async for response in stream.responses(request_iterator):
            yield response

    async def ImportRuns(  # noqa: N802
        self, request: ingest_pb2.ImportRunsRequest, context: Context
    ) -> ingest_pb2.ImportRunsResponse:
        """See the proto."""
        await self._reach(request.at_least, context)
        return await self._imports.take(request)

    async def LogRun(  # noqa: N802
        self, request: ingest_pb2.LogRunRequest, context: Context
    ) -> ingest_pb2.LogRunResponse:
        """See the proto."""
        await self._reach(request.at_least, context)
        seconds = timeout_seconds(context)
        return await self._log_runs.take(request, seconds, lambda one: self._experiment_of(one, seconds))

    async def _experiment_of(self, request: ingest_pb2.LogRunRequest, seconds: float) -> int:
        """The number of the experiment that is asked for. NotFound EXPERIMENT_NOT_FOUND."""
        namespace = check_namespace(request.namespace)
        if request.HasField("experiment_name"):
            check_experiment_name(request.experiment_name)
            intent = frame_pb2.ExperimentCreated(name=request.experiment_name, exist_ok=True)
            record = _intent(namespace, b"", experiment_created=intent)
            return await self._control.decide(record, seconds, lambda decided: decided.experiment)
        loop, number = asyncio.get_running_loop(), request.experiment_id
        if not await loop.run_in_executor(self._executor, self._control.has_experiment, namespace, number):
            raise NotFound("EXPERIMENT_NOT_FOUND", f"there is no experiment {request.experiment_id} in this namespace")
        return request.experiment_id

    async def UpdateRun(  # noqa: N802
        self, request: ingest_pb2.UpdateRunRequest, context: Context
    ) -> ingest_pb2.UpdateRunResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        run_id = parse_id(request.run_id)
        writer_id, events = check_request_id(request.request_id), _changes(request, time.time_ns() // 1_000_000)
        frame = frame_pb2.Frame(namespace=namespace, run_id=run_id, writer_id=writer_id, events=events)
        screened = screen(frame, time.time_ns() // 1_000_000)
        for _, error in screened.refused:
            raise error
        encoded(frame)
        await self._reach(request.at_least, context)
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

    async def PurgeRun(  # noqa: N802
        self, request: ingest_pb2.PurgeRunRequest, context: Context
    ) -> ingest_pb2.PurgeRunResponse:
        """See the proto."""
        namespace, run_id = check_namespace(request.namespace), parse_id(request.run_id)
        writer_id = check_request_id(request.request_id)
        await self._reach(request.at_least, context)
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

    async def BranchRun(  # noqa: N802
        self, request: ingest_pb2.BranchRunRequest, context: Context
    ) -> ingest_pb2.BranchRunResponse:
        """See the proto."""
        await self._reach(request.at_least, context)
        await self._stored.admit_runs(request.namespace, 1)
        return await self._branches.make(request, timeout_seconds(context))

    async def CreateExperiment(  # noqa: N802
        self, request: ingest_pb2.CreateExperimentRequest, context: Context
    ) -> ingest_pb2.CreateExperimentResponse:
        """See the proto."""
        check_experiment_name(request.name)
        _check_experiment_tags(request.tags)
        check_artifact_location(request.artifact_location, "artifact_location")
        intent = frame_pb2.ExperimentCreated(
            name=request.name,
            tags=request.tags,
            exist_ok=request.exist_ok,
            artifact_location=request.artifact_location,
        )
        record = _intent(request.namespace, request.request_id, experiment_created=intent)
        experiment, position = await self._decide(record, context)
        return ingest_pb2.CreateExperimentResponse(experiment=experiment, position=to_proto(position))

    async def UpdateExperiment(  # noqa: N802
        self, request: ingest_pb2.UpdateExperimentRequest, context: Context
    ) -> ingest_pb2.UpdateExperimentResponse:
        """See the proto."""
        name = request.name if request.HasField("name") else None
        if name is not None:
            check_experiment_name(name)
        _check_experiment_tags(request.tags, request.deleted_tags)
        intent = frame_pb2.ExperimentUpdated(
            experiment_id=request.experiment_id, name=name, tags=request.tags, deleted_tags=request.deleted_tags
        )
        record = _intent(request.namespace, request.request_id, experiment_updated=intent)
        experiment, position = await self._decide(record, context)
        return ingest_pb2.UpdateExperimentResponse(experiment=experiment, position=to_proto(position))

    async def DeleteExperiment(  # noqa: N802
        self, request: ingest_pb2.DeleteExperimentRequest, context: Context
    ) -> ingest_pb2.DeleteExperimentResponse:
        """See the proto."""
        intent = frame_pb2.ExperimentDeleted(experiment_id=request.experiment_id, default_too=request.default_too)
        record = _intent(request.namespace, request.request_id, experiment_deleted=intent)
        experiment, position = await self._decide(record, context)
        return ingest_pb2.DeleteExperimentResponse(experiment=experiment, position=to_proto(position))

    async def RestoreExperiment(  # noqa: N802
        self, request: ingest_pb2.RestoreExperimentRequest, context: Context
    ) -> ingest_pb2.RestoreExperimentResponse:
        """See the proto."""
        intent = frame_pb2.ExperimentRestored(experiment_id=request.experiment_id)
        record = _intent(request.namespace, request.request_id, experiment_restored=intent)
        experiment, position = await self._decide(record, context)
        return ingest_pb2.RestoreExperimentResponse(experiment=experiment, position=to_proto(position))

    async def PurgeExperiment(  # noqa: N802
        self, request: ingest_pb2.PurgeExperimentRequest, context: Context
    ) -> ingest_pb2.PurgeExperimentResponse:
        """See the proto."""
        intent = frame_pb2.ExperimentPurged(experiment_id=request.experiment_id)
        record = _intent(request.namespace, request.request_id, experiment_purged=intent)
        _, position = await self._decide(record, context)
        return ingest_pb2.PurgeExperimentResponse(position=to_proto(position))

    async def GetLogPosition(  # noqa: N802
        self, request: ingest_pb2.GetLogPositionRequest, context: Context
    ) -> ingest_pb2.GetLogPositionResponse:
        """See the proto."""
        check_namespace(request.namespace)
        found = await asyncio.get_running_loop().run_in_executor(self._executor, next_offsets, self._log)
        return ingest_pb2.GetLogPositionResponse(position=to_proto(found))

    async def UploadArtifact(  # noqa: N802
        self, request_iterator: AsyncIterator[ingest_pb2.UploadArtifactRequest], context: Context
    ) -> ingest_pb2.UploadArtifactResponse:
        """See the proto."""
        await self._uploader.take(request_iterator, context.peer(), self._admit)
        return ingest_pb2.UploadArtifactResponse()

    async def BeginUpload(  # noqa: N802
        self, request: ingest_pb2.BeginUploadRequest, context: Context
    ) -> ingest_pb2.BeginUploadResponse:
        """See the proto."""
        await self._admit(request.header)
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._parts.begin, request)

    async def GetUploadParts(  # noqa: N802
        self, request: ingest_pb2.GetUploadPartsRequest, context: Context
    ) -> ingest_pb2.GetUploadPartsResponse:
        """See the proto."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._parts.parts, request)

    async def CompleteUpload(  # noqa: N802
        self, request: ingest_pb2.CompleteUploadRequest, context: Context
    ) -> ingest_pb2.CompleteUploadResponse:
        """See the proto."""
        # Reads all the bytes: beside the uploads that do.
        return await asyncio.get_running_loop().run_in_executor(self._uploading, self._parts.complete, request)

    async def _admit(self, header: ingest_pb2.UploadHeader) -> None:
        """Whether the namespace has room for the file; it counts when it is logged. STORED_BYTES."""
        await self._stored.know(header.namespace)
        self._stored.admit_bytes(header.namespace, header.size_bytes, counts=False)

    async def _decide(self, record: frame_pb2.ControlRecord, context: Context) -> DecidedExperiment:
        def read(decided: Decided) -> DecidedExperiment:
            return self._control.experiment(record.namespace, decided.experiment), decided.position

        return await self._control.decide(record, timeout_seconds(context), read)

    async def _reach(self, at_least: position_pb2.Position, context: Context) -> None:
        """Until reads see everything before the position. DeadlineExceeded POSITION_NOT_REACHED."""
        position = from_proto(at_least)
        if position:
            await self._applied.wait(position, timeout_seconds(context))


def _intent(
    namespace: str,
    request_id: bytes,
    *,
    experiment_created: frame_pb2.ExperimentCreated | None = None,
    experiment_updated: frame_pb2.ExperimentUpdated | None = None,
    experiment_deleted: frame_pb2.ExperimentDeleted | None = None,
    experiment_restored: frame_pb2.ExperimentRestored | None = None,
    experiment_purged: frame_pb2.ExperimentPurged | None = None,
) -> frame_pb2.ControlRecord:
    record = frame_pb2.ControlRecord(
        namespace=check_namespace(namespace),
        request_id=check_request_id(request_id),
        experiment_created=experiment_created,
        experiment_updated=experiment_updated,
        experiment_deleted=experiment_deleted,
        experiment_restored=experiment_restored,
        experiment_purged=experiment_purged,
    )
    if record.ByteSize() > limits.INTENT_BYTES:
        raise ResourceExhausted(
            "REQUEST_TOO_LARGE",
            f"the request has {record.ByteSize():,} bytes, at most {limits.INTENT_BYTES:,}; set fewer or shorter tags",
        )
    return record


def _check_experiment_tags(tags: Mapping[str, str], deleted: Sequence[str] = ()) -> None:
    for field, count in (("tags", len(tags)), ("deleted_tags", len(deleted))):
        if count > limits.TAGS_PER_EVENT:
            raise InvalidArgument.of_field(
                "OVER_LIMIT", field, f"{count:,}, at most {limits.TAGS_PER_EVENT:,}; send several requests"
            )
    check_tags(tags, "tags", limits.EXPERIMENT_TEXT_BYTES)
    for place, key in enumerate(deleted):
        check_key(key, f"deleted_tags[{place}]", written=False)


def _purge(experiment: int, now_millis: int) -> list[event_pb2.Event]:
    """The events of a writer that takes the run away."""
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_ANNOTATE, experiment_id=experiment)
    return [
        event_pb2.Event(sequence=1, observe_time_millis=now_millis, run_started=started),
        event_pb2.Event(sequence=2, observe_time_millis=now_millis, run_purged=event_pb2.RunPurged()),
    ]


def _changes(request: ingest_pb2.UpdateRunRequest, now_millis: int) -> list[event_pb2.Event]:
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
