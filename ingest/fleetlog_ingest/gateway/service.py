"""IngestService over the ports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.ids import parse_id
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.position import after, to_proto
from fleetlog_core.rules.events import check_tag_keys, check_tags
from fleetlog_core.rules.names import check_experiment_name, check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import experiment_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc

from fleetlog_ingest.gateway.changes import changes_of
from fleetlog_ingest.gateway.control import Control, check_request_id
from fleetlog_ingest.gateway.durable import durable
from fleetlog_ingest.gateway.runs import Runs, run_deleted
from fleetlog_ingest.gateway.stream import AppendStream
from fleetlog_ingest.gateway.uploads import upload

TIMEOUT_SECONDS = 30.0
LOOKING_THREADS = 8
UPLOADS = 16
"""Uploads at a time, each with a thread of its own; more of them wait."""
Decided = tuple[experiment_pb2.Experiment, Mapping[Partition, int]]


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
        clock: Callable[[], int] | None = None,
    ) -> None:
        """`clock` tells Unix milliseconds."""
        self._log = log
        self._warehouse = warehouse
        self._objects = objects
        self._telemetry = telemetry or Telemetry()
        self._clock = clock or _now_millis
        self._executor = ThreadPoolExecutor(LOOKING_THREADS, "gateway")
        self._uploading = ThreadPoolExecutor(UPLOADS, "uploads")
        self._control = Control(log, warehouse, applied, self._executor, self._clock)
        self._runs = Runs(log, warehouse, applied, self._executor)

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()
        self._uploading.shutdown()

    async def AppendEvents(  # noqa: N802
        self, request_iterator: AsyncIterator[ingest_pb2.AppendEventsRequest], context: Context
    ) -> AsyncIterator[ingest_pb2.AppendEventsResponse]:
        """See the proto."""
        stream = AppendStream(self._log, self._warehouse, self._executor, self._telemetry, self._clock)
        async with aclosing(stream.responses(request_iterator)) as responses:
            async for response in responses:
                yield response

    async def UpdateRun(  # noqa: N802
        self, request: ingest_pb2.UpdateRunRequest, context: Context
    ) -> ingest_pb2.UpdateRunResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        run_id = parse_id(request.run_id)
        writer_id = check_request_id(request.request_id)
        now_millis = self._clock()
        frame = frame_pb2.Frame(
            namespace=namespace,
            run_id=run_id,
            writer_id=writer_id,
            events=changes_of(request, now_millis),
            ingest_time_millis=now_millis,
        )
        status = await self._runs.status(namespace, run_id, _timeout_seconds(context))
        if status.deleted and not request.HasField("deleted"):
            raise run_deleted(run_id)
        record = await durable(self._log.append(EVENTS, run_id, frame.SerializeToString()))
        return ingest_pb2.UpdateRunResponse(position=to_proto(after(record)))

    async def CreateExperiment(  # noqa: N802
        self, request: ingest_pb2.CreateExperimentRequest, context: Context
    ) -> ingest_pb2.CreateExperimentResponse:
        """See the proto."""
        check_experiment_name(request.name)
        check_tags(request.tags, "tags")
        intent = frame_pb2.ExperimentCreated(name=request.name, tags=request.tags, exist_ok=request.exist_ok)
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
        check_tags(request.tags, "tags")
        check_tag_keys(request.deleted_tags, "deleted_tags")
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
        intent = frame_pb2.ExperimentDeleted(experiment_id=request.experiment_id)
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

    async def UploadArtifact(  # noqa: N802
        self, request_iterator: AsyncIterator[ingest_pb2.UploadArtifactRequest], context: Context
    ) -> ingest_pb2.UploadArtifactResponse:
        """See the proto."""
        await upload(request_iterator, self._objects, self._uploading)
        return ingest_pb2.UploadArtifactResponse()

    async def _decide(self, record: frame_pb2.ControlRecord, context: Context) -> Decided:
        return await self._control.decide(record, _timeout_seconds(context))


def _now_millis() -> int:
    return time.time_ns() // 1_000_000


def _timeout_seconds(context: Context) -> float:
    """What is left of the caller's time, at most 30 s."""
    remaining = context.time_remaining()
    return TIMEOUT_SECONDS if remaining is None else min(remaining, TIMEOUT_SECONDS)


def _intent(
    namespace: str,
    request_id: bytes,
    *,
    experiment_created: frame_pb2.ExperimentCreated | None = None,
    experiment_updated: frame_pb2.ExperimentUpdated | None = None,
    experiment_deleted: frame_pb2.ExperimentDeleted | None = None,
    experiment_restored: frame_pb2.ExperimentRestored | None = None,
) -> frame_pb2.ControlRecord:
    return frame_pb2.ControlRecord(
        namespace=check_namespace(namespace),
        request_id=check_request_id(request_id),
        experiment_created=experiment_created,
        experiment_updated=experiment_updated,
        experiment_deleted=experiment_deleted,
        experiment_restored=experiment_restored,
    )
