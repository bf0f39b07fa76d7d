"""IngestService over the ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import NotFound
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.ends import next_offsets
from fleetlog_core.log.port import EventLog, Partition
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.position import from_proto, to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import experiment_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc, position_pb2

from fleetlog_ingest.gateway import upload_slots
from fleetlog_ingest.gateway.admission import Admission
from fleetlog_ingest.gateway.backlog import Backlog
from fleetlog_ingest.gateway.branches import Branches
from fleetlog_ingest.gateway.bulk_changes import BulkChanges
from fleetlog_ingest.gateway.control import Control, Decided, timeout_seconds
from fleetlog_ingest.gateway.direct_uploads import PartUploads
from fleetlog_ingest.gateway.experiment_intents import by_name, change, creation, record_of
from fleetlog_ingest.gateway.heartbeat_pace import HeartbeatPace
from fleetlog_ingest.gateway.heartbeats import Heartbeats
from fleetlog_ingest.gateway.imports import Imports
from fleetlog_ingest.gateway.log_run import LogRuns
from fleetlog_ingest.gateway.quotas import StoredUse
from fleetlog_ingest.gateway.run_changes import RunChanges
from fleetlog_ingest.gateway.run_watch import AGAIN_SECONDS, RunWatch
from fleetlog_ingest.gateway.stream import AppendStream
from fleetlog_ingest.gateway.upload_slots import UploadSlots
from fleetlog_ingest.gateway.uploads import Uploader

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
        self._run_changes = RunChanges(log, warehouse, self._executor)
        self._bulk_changes = BulkChanges(log, warehouse, self._executor)
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
            record = by_name(namespace, request.experiment_name)
            return await self._control.decide(record, seconds, lambda decided: decided.experiment)
        loop, number = asyncio.get_running_loop(), request.experiment_id
        if not await loop.run_in_executor(self._executor, self._control.has_experiment, namespace, number):
            raise NotFound("EXPERIMENT_NOT_FOUND", f"there is no experiment {request.experiment_id} in this namespace")
        return request.experiment_id

    async def UpdateRun(  # noqa: N802
        self, request: ingest_pb2.UpdateRunRequest, context: Context
    ) -> ingest_pb2.UpdateRunResponse:
        """See the proto."""
        return await self._run_changes.update(request, lambda: self._reach(request.at_least, context))

    async def UpdateRuns(  # noqa: N802
        self, request: ingest_pb2.UpdateRunsRequest, context: Context
    ) -> ingest_pb2.UpdateRunsResponse:
        """See the proto."""
        return await self._bulk_changes.update(request, lambda: self._reach(request.at_least, context))

    async def PurgeRun(  # noqa: N802
        self, request: ingest_pb2.PurgeRunRequest, context: Context
    ) -> ingest_pb2.PurgeRunResponse:
        """See the proto."""
        return await self._run_changes.purge(request, lambda: self._reach(request.at_least, context))

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
        experiment, position = await self._decide(creation(request), context)
        return ingest_pb2.CreateExperimentResponse(experiment=experiment, position=to_proto(position))

    async def UpdateExperiment(  # noqa: N802
        self, request: ingest_pb2.UpdateExperimentRequest, context: Context
    ) -> ingest_pb2.UpdateExperimentResponse:
        """See the proto."""
        experiment, position = await self._decide(change(request), context)
        return ingest_pb2.UpdateExperimentResponse(experiment=experiment, position=to_proto(position))

    async def DeleteExperiment(  # noqa: N802
        self, request: ingest_pb2.DeleteExperimentRequest, context: Context
    ) -> ingest_pb2.DeleteExperimentResponse:
        """See the proto."""
        intent = frame_pb2.ExperimentDeleted(experiment_id=request.experiment_id, default_too=request.default_too)
        record = record_of(request.namespace, request.request_id, experiment_deleted=intent)
        experiment, position = await self._decide(record, context)
        return ingest_pb2.DeleteExperimentResponse(experiment=experiment, position=to_proto(position))

    async def RestoreExperiment(  # noqa: N802
        self, request: ingest_pb2.RestoreExperimentRequest, context: Context
    ) -> ingest_pb2.RestoreExperimentResponse:
        """See the proto."""
        intent = frame_pb2.ExperimentRestored(experiment_id=request.experiment_id)
        record = record_of(request.namespace, request.request_id, experiment_restored=intent)
        experiment, position = await self._decide(record, context)
        return ingest_pb2.RestoreExperimentResponse(experiment=experiment, position=to_proto(position))

    async def PurgeExperiment(  # noqa: N802
        self, request: ingest_pb2.PurgeExperimentRequest, context: Context
    ) -> ingest_pb2.PurgeExperimentResponse:
        """See the proto."""
        intent = frame_pb2.ExperimentPurged(experiment_id=request.experiment_id)
        record = record_of(request.namespace, request.request_id, experiment_purged=intent)
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
