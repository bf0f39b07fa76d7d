"""LoggedModelService: changes of logged models, each a frame of the model's own stream.

A request is a writer of its own: the same again has the same writer and sequences, and changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from fleetlog_core.ids import parse_id
from fleetlog_core.log.port import EVENTS, EventLog
from fleetlog_core.position import after, from_proto, to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_proto.v1 import (
    event_pb2,
    frame_pb2,
    logged_model_event_pb2,
    logged_model_pb2,
    logged_model_pb2_grpc,
    position_pb2,
)

from fleetlog_ingest.gateway.control import check_request_id, timeout_seconds
from fleetlog_ingest.gateway.runs import writer_status
from fleetlog_ingest.gateway.screen import encoded, screen
from fleetlog_ingest.request_digests import ModelRequest, check_same_request, digest_of_model_request

THREADS = 4
DEFAULT_EXPERIMENT = 0
_MODEL = """
SELECT deleted, made FROM logged_models FINAL
WHERE namespace = {namespace:String} AND model_id = unhex({model:String}) AND purged = 0
"""
_EXPERIMENT = """
SELECT deleted FROM experiments FINAL WHERE namespace = {namespace:String} AND experiment = {experiment:UInt32}
"""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Change:
    """One request: what the log is to have of it."""

    namespace: str
    model_id: bytes
    request_id: bytes
    digest: int
    events: Sequence[event_pb2.Event]


class LoggedModelServicer(logged_model_pb2_grpc.LoggedModelServiceServicer):
    """See protos/fleetlog/v1/logged_model.proto."""

    def __init__(self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch) -> None:
        self._log = log
        self._warehouse = warehouse
        self._applied = applied
        self._executor = ContextThreads(THREADS, "logged-models")

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()

    async def CreateLoggedModel(  # noqa: N802
        self, request: logged_model_pb2.CreateLoggedModelRequest, context: Context
    ) -> logged_model_pb2.CreateLoggedModelResponse:
        """See the proto."""
        created = logged_model_event_pb2.LoggedModelCreated(
            experiment_id=request.experiment_id,
            name=request.name,
            source_run_id=parse_id(request.source_run_id, "source_run_id") if request.source_run_id else b"",
            model_type=request.model_type,
            params=request.params,
            tags=request.tags,
        )
        change = _change(request, event_pb2.Event(logged_model_created=created), request.create_time_millis)
        frame = _screened(change)
        await self._in_thread(self._check_experiment, change.namespace, request.experiment_id)
        if not await self._in_thread(self._is_repeat, change):
            status = await self._in_thread(self._status, change.namespace, change.model_id)
            if status is not None and status.made:
                raise AlreadyExists(
                    "LOGGED_MODEL_EXISTS", f"model_id: there is a logged model {request.model_id}; choose another id"
                )
        return logged_model_pb2.CreateLoggedModelResponse(position=await self._append(frame))

    async def UpdateLoggedModel(  # noqa: N802
        self, request: logged_model_pb2.UpdateLoggedModelRequest, context: Context
    ) -> logged_model_pb2.UpdateLoggedModelResponse:
        """See the proto."""
        change = _change(request, _update(request))
        frame = _screened(change)
        await self._reach(request.at_least, context)
        if not await self._in_thread(self._is_repeat, change):
            status = await self._known(change)
            if status.deleted and not request.HasField("deleted"):
                raise FailedPrecondition(
                    "LOGGED_MODEL_DELETED", f"logged model {request.model_id} is deleted; restore it to change it"
                )
        return logged_model_pb2.UpdateLoggedModelResponse(position=await self._append(frame))

    async def PurgeLoggedModel(  # noqa: N802
        self, request: logged_model_pb2.PurgeLoggedModelRequest, context: Context
    ) -> logged_model_pb2.PurgeLoggedModelResponse:
        """See the proto."""
        purged = event_pb2.Event(logged_model_purged=logged_model_event_pb2.LoggedModelPurged())
        change = _change(request, purged)
        await self._reach(request.at_least, context)
        if not await self._in_thread(self._is_repeat, change) and not (await self._known(change)).deleted:
            raise FailedPrecondition(
                "LOGGED_MODEL_NOT_DELETED", f"logged model {request.model_id} is not deleted; delete it before"
            )
        return logged_model_pb2.PurgeLoggedModelResponse(position=await self._append(_frame(change)))

    async def _append(self, frame: frame_pb2.Frame) -> position_pb2.Position:
        record = await asyncio.wrap_future(self._log.append(EVENTS, frame.run_id, encoded(frame)))
        return to_proto(after(record))

    async def _known(self, change: _Change) -> _Status:
        """NotFound LOGGED_MODEL_NOT_FOUND."""
        status = await self._in_thread(self._status, change.namespace, change.model_id)
        if status is None:
            raise NotFound(
                "LOGGED_MODEL_NOT_FOUND", f"there is no logged model {change.model_id.hex()} in this namespace"
            )
        return status

    async def _reach(self, at_least: position_pb2.Position, context: Context) -> None:
        position = from_proto(at_least)
        if position:
            await self._applied.wait(position, timeout_seconds(context))

    async def _in_thread(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)

    def _is_repeat(self, change: _Change) -> bool:
        """True if the request is applied. FailedPrecondition REQUEST_ID_REUSED."""
        before = writer_status(self._warehouse, change.namespace, change.model_id, change.request_id)
        if before is None:
            return False
        check_same_request(before.request, change.digest)
        return True

    def _status(self, namespace: str, model_id: bytes) -> _Status | None:
        answer = self._warehouse.select(Statement(_MODEL, {"namespace": namespace, "model": model_id.hex()}))
        if not answer.rows:
            return None
        return _Status(bool(answer.array("deleted")[0]), bool(answer.array("made")[0]))

    def _check_experiment(self, namespace: str, experiment: int) -> None:
        """NotFound EXPERIMENT_NOT_FOUND, FailedPrecondition EXPERIMENT_DELETED."""
        answer = self._warehouse.select(Statement(_EXPERIMENT, {"namespace": namespace, "experiment": experiment}))
        if not answer.rows or answer.array("deleted")[0] == PURGED:
            if experiment != DEFAULT_EXPERIMENT:
                raise NotFound("EXPERIMENT_NOT_FOUND", f"experiment_id: there is no experiment {experiment}")
        elif answer.array("deleted")[0]:
            raise FailedPrecondition(
                "EXPERIMENT_DELETED", f"experiment_id: experiment {experiment} is deleted; restore it before"
            )


@dataclass(frozen=True, slots=True)
class _Status:
    """A model as the warehouse has it."""

    deleted: bool
    made: bool


def _update(request: logged_model_pb2.UpdateLoggedModelRequest) -> event_pb2.Event:
    updated = logged_model_event_pb2.LoggedModelUpdated(
        status=request.status, params=request.params, tags=request.tags, deleted_tags=request.deleted_tags
    )
    if request.HasField("status_message"):
        updated.status_message = request.status_message
    if request.HasField("deleted") == bool(updated.ByteSize()):
        raise InvalidArgument.of_field(
            "NOTHING_TO_CHANGE", "deleted", "give a status, a message, params or tags, or deleted by itself"
        )
    if not request.HasField("deleted"):
        return event_pb2.Event(logged_model_updated=updated)
    if request.deleted:
        return event_pb2.Event(logged_model_deleted=logged_model_event_pb2.LoggedModelDeleted())
    return event_pb2.Event(logged_model_restored=logged_model_event_pb2.LoggedModelRestored())


def _change(request: ModelRequest, event: event_pb2.Event, time_millis: int = 0) -> _Change:
    event.sequence = 1
    event.observe_time_millis = time_millis or time.time_ns() // 1_000_000
    return _Change(
        check_namespace(request.namespace),
        parse_id(request.model_id, "model_id"),
        check_request_id(request.request_id),
        digest_of_model_request(request),
        [event],
    )


def _frame(change: _Change) -> frame_pb2.Frame:
    return frame_pb2.Frame(
        namespace=change.namespace,
        run_id=change.model_id,
        writer_id=change.request_id,
        events=change.events,
        subject=frame_pb2.SUBJECT_MODEL,
        ingest_time_millis=time.time_ns() // 1_000_000,
        request_digest=change.digest,
    )


def _screened(change: _Change) -> frame_pb2.Frame:
    """The frame, when nothing in it is wrong. FleetlogError."""
    frame = _frame(change)
    screened = screen(frame, frame.ingest_time_millis)
    for _, error in screened.refused:
        raise error
    frame.request_digest = change.digest
    return frame
