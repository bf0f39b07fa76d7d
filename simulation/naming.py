"""A process that asks for names: experiments, registered models and their versions, with others that ask for the same.

A request that has no answer is sent again with its id, as the contract says; now and then one is that has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from fleetlog.errors import DeadlineExceeded, FleetlogError, Unavailable, from_call
from fleetlog_proto.v1 import ingest_pb2, model_version_pb2, registered_model_pb2, registry_event_pb2

from simulation.kernel import Fiber, Process
from simulation.names_oracle import NamesOracle
from simulation.network import Network
from simulation.plan import Namer
from simulation.unary import Unary

EXPERIMENTS = ("north", "south", "east")
MODELS = ("ranker", "tagger")
ALIASES = ("champion", "candidate")
NEVER = "OUTCOME_UNKNOWN"
"""Reason that no request of a world is to be told: none is unreadable, and whoever asks has waited for its outcome."""
_STAGES = (registry_event_pb2.MODEL_STAGE_STAGING, registry_event_pb2.MODEL_STAGE_PRODUCTION)


class Naming:
    """One of them, from its first request to its last."""

    def __init__(self, process: Process, plan: Namer, network: Network, oracle: NamesOracle) -> None:
        self.process = process
        self.has_ended = False
        self._plan = plan
        self._network = network
        self._oracle = oracle
        self._random = process.kernel.random
        self._calls: tuple[tuple[str, Any, Callable[[], Any]], ...] = (
            ("CreateExperiment", ingest_pb2.CreateExperimentResponse, self._creation),
            ("UpdateExperiment", ingest_pb2.CreateExperimentResponse, self._renaming),
            ("DeleteExperiment", ingest_pb2.CreateExperimentResponse, self._deletion),
            ("RestoreExperiment", ingest_pb2.CreateExperimentResponse, self._restoration),
            ("CreateRegisteredModel", registered_model_pb2.CreateRegisteredModelResponse, self._model_creation),
            ("RenameRegisteredModel", registered_model_pb2.RenameRegisteredModelResponse, self._model_renaming),
            ("DeleteRegisteredModel", registered_model_pb2.DeleteRegisteredModelResponse, self._model_deletion),
            ("CreateModelVersion", model_version_pb2.CreateModelVersionResponse, self._version_creation),
            ("TransitionModelVersion", model_version_pb2.TransitionModelVersionResponse, self._version_move),
            ("DeleteModelVersion", model_version_pb2.DeleteModelVersionResponse, self._version_deletion),
            ("SetAlias", registered_model_pb2.SetAliasResponse, self._alias),
        )
        Fiber(process, self._main, "main")

    def _main(self) -> None:
        kernel, plan, random = self.process.kernel, self._plan, self._random
        kernel.sleep(plan.begins)
        for _ in range(plan.requests):
            kernel.sleep(random.expovariate(1 / plan.pace_seconds))
            (call,) = random.choices(self._calls, weights=(4, 2, 1, 1, 1, 1, 1, 6, 2, 3, 2))
            method, response, make = call
            request = make()
            request.request_id = random.randbytes(16)
            data = request.SerializeToString()
            while not self._asked(method, data, request.request_id, response) or random.random() < 0.1:
                kernel.sleep(random.random())
        kernel.history.add(self.process.name, "ends")
        self.has_ended = True
        self.process.kill()

    def _asked(self, method: str, data: bytes, request_id: bytes, response: Any) -> bool:
        """Ask once: whether it was answered."""
        told, name = self.process.kernel.history, f"{method} {request_id.hex()[:8]}"
        told.add(self.process.name, f"asks {name}")
        try:
            answer = response.FromString(
                Unary(self._network, self.process).ask(method, data, self._random.choice((0.3, 5.0, 30.0)))
            )
        except grpc.RpcError as broken:
            error = from_call(broken, "gateways")
            if isinstance(error, (DeadlineExceeded, Unavailable)) and error.reason != NEVER:
                return False
            self._refused(name, request_id, error)
            return True
        told.add(self.process.name, f"has {name}")
        self._oracle.answered(request_id, answer)
        return True

    def _refused(self, name: str, request_id: bytes, error: FleetlogError) -> None:
        self.process.kernel.history.add(self.process.name, f"is refused {name}: {error.reason}")
        self._oracle.refused(request_id, error.reason)

    # -- requests

    def _experiment(self) -> str:
        return self._random.choice(EXPERIMENTS)

    def _number(self) -> int:
        return self._random.randrange(len(EXPERIMENTS) + 1)

    def _model(self) -> str:
        return self._random.choice(MODELS)

    def _version(self) -> int:
        return self._random.randint(1, 3)

    def _creation(self) -> Any:
        return ingest_pb2.CreateExperimentRequest(name=self._experiment(), exist_ok=self._random.random() < 0.5)

    def _renaming(self) -> Any:
        return ingest_pb2.UpdateExperimentRequest(experiment_id=self._number(), name=self._experiment())

    def _deletion(self) -> Any:
        return ingest_pb2.DeleteExperimentRequest(experiment_id=self._number())

    def _restoration(self) -> Any:
        return ingest_pb2.RestoreExperimentRequest(experiment_id=self._number())

    def _model_creation(self) -> Any:
        ok = self._random.random() < 0.5
        return registered_model_pb2.CreateRegisteredModelRequest(name=self._model(), exist_ok=ok)

    def _model_renaming(self) -> Any:
        return registered_model_pb2.RenameRegisteredModelRequest(name=self._model(), new_name=self._model())

    def _model_deletion(self) -> Any:
        return registered_model_pb2.DeleteRegisteredModelRequest(name=self._model())

    def _version_creation(self) -> Any:
        aliases = [self._random.choice(ALIASES)] if self._random.random() < 0.5 else []
        return model_version_pb2.CreateModelVersionRequest(name=self._model(), create_model=True, aliases=aliases)

    def _version_move(self) -> Any:
        return model_version_pb2.TransitionModelVersionRequest(
            name=self._model(), version=self._version(), stage=self._random.choice(_STAGES),
            archive_existing=self._random.random() < 0.5,
        )  # fmt: skip

    def _version_deletion(self) -> Any:
        return model_version_pb2.DeleteModelVersionRequest(name=self._model(), version=self._version())

    def _alias(self) -> Any:
        return registered_model_pb2.SetAliasRequest(
            name=self._model(), alias=self._random.choice(ALIASES), version=self._version()
        )
