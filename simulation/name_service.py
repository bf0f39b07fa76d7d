"""Calls on names at a gateway: experiments and registered models, by the product's control and registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.log.port import EventLog
from fleetlog_core.position import to_proto
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_ingest.gateway.control import Control, Decided
from fleetlog_ingest.gateway.experiment_intents import change, creation, record_of
from fleetlog_ingest.gateway.registry import RegistryServicer
from fleetlog_proto.v1 import frame_pb2, ingest_pb2, model_version_pb2, registered_model_pb2

from simulation.executors import Executor


def _deletion(request: ingest_pb2.DeleteExperimentRequest) -> frame_pb2.ControlRecord:
    intent = frame_pb2.ExperimentDeleted(experiment_id=request.experiment_id)
    return record_of(request.namespace, request.request_id, experiment_deleted=intent)


def _restoration(request: ingest_pb2.RestoreExperimentRequest) -> frame_pb2.ControlRecord:
    intent = frame_pb2.ExperimentRestored(experiment_id=request.experiment_id)
    return record_of(request.namespace, request.request_id, experiment_restored=intent)


_OF_EXPERIMENTS: Mapping[str, tuple[Any, Callable[[Any], frame_pb2.ControlRecord]]] = {
    "CreateExperiment": (ingest_pb2.CreateExperimentRequest, creation),
    "UpdateExperiment": (ingest_pb2.UpdateExperimentRequest, change),
    "DeleteExperiment": (ingest_pb2.DeleteExperimentRequest, _deletion),
    "RestoreExperiment": (ingest_pb2.RestoreExperimentRequest, _restoration),
}
_OF_MODELS: Mapping[str, Any] = {
    "CreateRegisteredModel": registered_model_pb2.CreateRegisteredModelRequest,
    "RenameRegisteredModel": registered_model_pb2.RenameRegisteredModelRequest,
    "DeleteRegisteredModel": registered_model_pb2.DeleteRegisteredModelRequest,
    "CreateModelVersion": model_version_pb2.CreateModelVersionRequest,
    "TransitionModelVersion": model_version_pb2.TransitionModelVersionRequest,
    "DeleteModelVersion": model_version_pb2.DeleteModelVersionRequest,
    "SetAlias": registered_model_pb2.SetAliasRequest,
}


class _Context:
    """As much of a call's context as is asked."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def time_remaining(self) -> float:
        """See grpc.aio.ServicerContext."""
        return self._seconds


class NameService:
    """What a gateway answers about names."""

    def __init__(self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch, executor: Executor) -> None:
        self._control = Control(log, warehouse, applied, executor)  # type: ignore[arg-type]
        self._registry = RegistryServicer(log, warehouse, applied)

    async def answer(self, method: str, data: bytes, seconds: float) -> bytes:
        """Returns the response to a request, as bytes. FleetlogError, LogUnavailable, WarehouseUnavailable."""
        if method in _OF_EXPERIMENTS:
            kind, record_of_request = _OF_EXPERIMENTS[method]
            record = record_of_request(kind.FromString(data))
            return await self._control.decide(record, seconds, lambda decided: self._experiment(record, decided))
        context: Any = _Context(seconds)
        response = await getattr(self._registry, method)(_OF_MODELS[method].FromString(data), context)
        found: bytes = response.SerializeToString()
        return found

    def _experiment(self, record: frame_pb2.ControlRecord, decided: Decided) -> bytes:
        """As all calls on experiments answer: CreateExperimentResponse stands for each."""
        experiment = self._control.experiment(record.namespace, decided.experiment)
        response = ingest_pb2.CreateExperimentResponse(experiment=experiment, position=to_proto(decided.position))
        return response.SerializeToString()
