"""RegistryService: changes of registered models. The log decides each, and the answer shows what it decided."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.auth.identity import APPROVE, caller
from fleetlog_core.errors import Unavailable
from fleetlog_core.log.port import EventLog
from fleetlog_core.position import to_proto
from fleetlog_core.registry.snapshot import DecidedStates, Snapshot, states_at
from fleetlog_core.registry.states import Kind, approval_of, model_of, shown_version, to_text, version_of
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import (
    frame_pb2,
    model_approval_pb2,
    model_history_pb2,
    model_version_pb2,
    position_pb2,
    registered_model_pb2,
    registry_pb2_grpc,
)

from fleetlog_ingest.gateway import registry_intents
from fleetlog_ingest.gateway.control import Control, Decided, check_request_id, timeout_seconds

T = TypeVar("T")
THREADS = 8
_Request = (
    registered_model_pb2.CreateRegisteredModelRequest
    | registered_model_pb2.UpdateRegisteredModelRequest
    | registered_model_pb2.RenameRegisteredModelRequest
    | registered_model_pb2.DeleteRegisteredModelRequest
    | model_version_pb2.CreateModelVersionRequest
    | model_version_pb2.UpdateModelVersionRequest
    | model_version_pb2.TransitionModelVersionRequest
    | model_version_pb2.DeleteModelVersionRequest
    | registered_model_pb2.SetAliasRequest
    | registered_model_pb2.DeleteAliasRequest
    | model_history_pb2.AddCommentRequest
    | model_approval_pb2.RequestApprovalRequest
    | model_approval_pb2.DecideApprovalRequest
)


class RegistryServicer(registry_pb2_grpc.RegistryServiceServicer):
    """See protos/fleetlog/v1/registry.proto."""

    def __init__(self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch) -> None:
        self._warehouse = warehouse
        self._executor: Executor = ContextThreads(THREADS, "registry")
        self._control = Control(log, warehouse, applied, self._executor)

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()

    async def CreateRegisteredModel(  # noqa: N802
        self, request: registered_model_pb2.CreateRegisteredModelRequest, context: Context
    ) -> registered_model_pb2.CreateRegisteredModelResponse:
        """See the proto."""
        model, position = await self._decide(request, registry_intents.create_model(request), context, _model)
        return registered_model_pb2.CreateRegisteredModelResponse(model=model, position=position)

    async def UpdateRegisteredModel(  # noqa: N802
        self, request: registered_model_pb2.UpdateRegisteredModelRequest, context: Context
    ) -> registered_model_pb2.UpdateRegisteredModelResponse:
        """See the proto."""
        if request.HasField("approval_policy"):
            # Who may not approve may not do away with approvals.
            caller().check(APPROVE, request.namespace)
        model, position = await self._decide(request, registry_intents.update_model(request), context, _model)
        return registered_model_pb2.UpdateRegisteredModelResponse(model=model, position=position)

    async def RenameRegisteredModel(  # noqa: N802
        self, request: registered_model_pb2.RenameRegisteredModelRequest, context: Context
    ) -> registered_model_pb2.RenameRegisteredModelResponse:
        """See the proto."""
        model, position = await self._decide(request, registry_intents.rename_model(request), context, _model)
        return registered_model_pb2.RenameRegisteredModelResponse(model=model, position=position)

    async def DeleteRegisteredModel(  # noqa: N802
        self, request: registered_model_pb2.DeleteRegisteredModelRequest, context: Context
    ) -> registered_model_pb2.DeleteRegisteredModelResponse:
        """See the proto."""
        model, position = await self._decide(request, registry_intents.delete_model(request), context, _model)
        return registered_model_pb2.DeleteRegisteredModelResponse(model=model, position=position)

    async def CreateModelVersion(  # noqa: N802
        self, request: model_version_pb2.CreateModelVersionRequest, context: Context
    ) -> model_version_pb2.CreateModelVersionResponse:
        """See the proto."""
        if request.aliases:
            caller().check(APPROVE, request.namespace)
        version, position = await self._decide(request, registry_intents.create_version(request), context, _version)
        return model_version_pb2.CreateModelVersionResponse(version=version, position=position)

    async def UpdateModelVersion(  # noqa: N802
        self, request: model_version_pb2.UpdateModelVersionRequest, context: Context
    ) -> model_version_pb2.UpdateModelVersionResponse:
        """See the proto."""
        version, position = await self._decide(request, registry_intents.update_version(request), context, _version)
        return model_version_pb2.UpdateModelVersionResponse(version=version, position=position)

    async def TransitionModelVersion(  # noqa: N802
        self, request: model_version_pb2.TransitionModelVersionRequest, context: Context
    ) -> model_version_pb2.TransitionModelVersionResponse:
        """See the proto."""
        version, position = await self._decide(request, registry_intents.transition_version(request), context, _version)
        return model_version_pb2.TransitionModelVersionResponse(version=version, position=position)

    async def DeleteModelVersion(  # noqa: N802
        self, request: model_version_pb2.DeleteModelVersionRequest, context: Context
    ) -> model_version_pb2.DeleteModelVersionResponse:
        """See the proto."""
        version, position = await self._decide(request, registry_intents.delete_version(request), context, _version)
        return model_version_pb2.DeleteModelVersionResponse(version=version, position=position)

    async def SetAlias(  # noqa: N802
        self, request: registered_model_pb2.SetAliasRequest, context: Context
    ) -> registered_model_pb2.SetAliasResponse:
        """See the proto."""
        model, position = await self._decide(request, registry_intents.set_alias(request), context, _model)
        return registered_model_pb2.SetAliasResponse(model=model, position=position)

    async def DeleteAlias(  # noqa: N802
        self, request: registered_model_pb2.DeleteAliasRequest, context: Context
    ) -> registered_model_pb2.DeleteAliasResponse:
        """See the proto."""
        model, position = await self._decide(request, registry_intents.delete_alias(request), context, _model)
        return registered_model_pb2.DeleteAliasResponse(model=model, position=position)

    async def AddComment(  # noqa: N802
        self, request: model_history_pb2.AddCommentRequest, context: Context
    ) -> model_history_pb2.AddCommentResponse:
        """See the proto."""
        record = registry_intents.add_comment(request)

        def comment(left: DecidedStates, result: str) -> model_history_pb2.ModelComment:
            return model_history_pb2.ModelComment(
                version=request.version, user=request.user, text=request.text, time_millis=left.time_millis
            )

        found, position = await self._decide(request, record, context, comment)
        return model_history_pb2.AddCommentResponse(comment=found, position=position)

    async def RequestApproval(  # noqa: N802
        self, request: model_approval_pb2.RequestApprovalRequest, context: Context
    ) -> model_approval_pb2.RequestApprovalResponse:
        """See the proto."""
        record = registry_intents.request_approval(request)
        approval, position = await self._decide(request, record, context, _approval)
        return model_approval_pb2.RequestApprovalResponse(approval=approval, position=position)

    async def DecideApproval(  # noqa: N802
        self, request: model_approval_pb2.DecideApprovalRequest, context: Context
    ) -> model_approval_pb2.DecideApprovalResponse:
        """See the proto."""
        record = registry_intents.decide_approval(request)
        approval, position = await self._decide(request, record, context, _approval)
        return model_approval_pb2.DecideApprovalResponse(approval=approval, position=position)

    async def _decide(
        self,
        request: _Request,
        record: frame_pb2.ControlRecord,
        context: Context,
        read: Callable[[DecidedStates, str], T | None],
    ) -> tuple[T, position_pb2.Position]:
        """What `read` finds of what the decision left: the same whenever the request is sent again."""
        request_id = check_request_id(request.request_id)
        record = registry_intents.completed(record, request.namespace, request_id, request.user)

        def answer(decided: Decided) -> tuple[T, position_pb2.Position]:
            model_id, _ = _numbers(decided.result)
            left = decided.left or states_at(self._warehouse.select, record.namespace, model_id, decided.offset)
            if not left.states and record.registered_model_created.exist_ok:
                left = self._existing(record.namespace, model_id, decided.offset)
            found = read(left, decided.result)
            if found is None:
                raise Unavailable("OUTCOME_UNKNOWN", "what was decided can't be read now; send the request again")
            return found, to_proto(decided.position)

        return await self._control.decide(record, timeout_seconds(context), answer)

    def _existing(self, namespace: str, model_id: int, offset: int) -> DecidedStates:
        """A model that was there already, as it was then."""
        models = Snapshot(self._warehouse.select, namespace, offset).models([model_id])
        return DecidedStates(0, {(Kind.MODEL, 0): to_text(models[model_id])} if model_id in models else {})


def _model(left: DecidedStates, result: str) -> registered_model_pb2.RegisteredModel | None:
    text = left.states.get((Kind.MODEL, 0))
    return None if text is None else model_of(text)


def _version(left: DecidedStates, result: str) -> model_version_pb2.ModelVersion | None:
    text, model = left.states.get((Kind.VERSION, _numbers(result)[1])), _model(left, result)
    return None if text is None or model is None else shown_version(version_of(text), model)


def _approval(left: DecidedStates, result: str) -> model_approval_pb2.Approval | None:
    text = left.states.get((Kind.APPROVAL, _numbers(result)[1]))
    return None if text is None else approval_of(text)


def _numbers(result: str) -> tuple[int, int]:
    """The model's id, and the number of what was made of it; 0 for none."""
    model_id, _, number = result.partition("/")
    return int(model_id), int(number or 0)
