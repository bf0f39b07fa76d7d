"""What the parts of the registry store share: the place, its connection, and errors in MLflow's words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import position_pb2
from mlflow.exceptions import MlflowException

from fleetlog._calls.base import TIMEOUT_SECONDS
from fleetlog._transport.connection import Connection, connection_to
from fleetlog._values.user import current_user
from fleetlog.errors import NotFound
from fleetlog.mlflow_plugin.errors import missing, translated
from fleetlog.mlflow_plugin.registry_entities import SERVED_SCHEME
from fleetlog.mlflow_plugin.served import read_position
from fleetlog.mlflow_plugin.uris import ARTIFACT_SCHEME, Place

MAX_VERSION = (1 << 63) - 1
_SERVER_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""Variable of the environment in which `mlflow server` tells its workers where artifacts are."""


class _Decided(Protocol):
    """An answer to a change."""

    @property
    def position(self) -> position_pb2.Position:
        """Where the decision is in the log."""
        ...


Answer = TypeVar("Answer")
Decided = TypeVar("Decided", bound=_Decided)


class RegistryBase:
    """The registry of a namespace. Every change is decided when its call returns."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    def connection(self) -> Connection:
        """The process's connection: a forked child has another."""
        return connection_to(self.place.target)

    @property
    def scheme(self) -> str:
        """Scheme of files on fleetlog's servers, as whoever asks this process reaches them."""
        served = os.environ.get(_SERVER_ARTIFACT_ROOT, "").startswith(f"{SERVED_SCHEME}:")
        return SERVED_SCHEME if served else ARTIFACT_SCHEME

    def change(self, method: Callable[..., Decided], request: Any) -> Decided:
        """Returns the outcome of a change. FleetlogError."""
        request.namespace, request.request_id = self.place.namespace, new_random_id()
        request.user = current_user()
        connection = self.connection
        answer = connection.call(method, request, TIMEOUT_SECONDS)
        connection.saw(answer.position)
        return answer

    def read(self, method: Callable[..., Answer], request: Any) -> Answer:
        """Returns an answer that holds what `position` says. FleetlogError."""
        request.namespace = self.place.namespace
        request.at_least.CopyFrom(self.position())
        return self.connection.call(method, request, TIMEOUT_SECONDS)

    def position(self) -> position_pb2.Position:
        """Returns what a read has to hold, see served.read_position. FleetlogError."""
        return read_position(self.connection, self.place.namespace)


@contextmanager
def of_model(name: str) -> Iterator[None]:
    """Errors within are MLflow's; that of a model that is not there is in its words."""
    with translated():
        try:
            yield
        except NotFound as error:
            if error.reason != "MODEL_NOT_FOUND":
                raise
            raise missing(f"Registered Model with name={name} not found") from None


@contextmanager
def of_version(name: str, version: object) -> Iterator[None]:
    """Errors within are MLflow's; that of a model or a version that is not there is in its words."""
    with translated():
        try:
            yield
        except NotFound as error:
            if error.reason not in ("MODEL_NOT_FOUND", "VERSION_NOT_FOUND"):
                raise
            raise _no_version(name, version) from None


def number_of(name: str, version: object) -> int:
    """Returns the number of a version that was checked. MlflowException when no version can have it."""
    number = int(str(version))
    if not 0 < number <= MAX_VERSION:
        raise _no_version(name, version)
    return number


def _no_version(name: str, version: object) -> MlflowException:
    return missing(f"Model Version (name={name}, version={version}) not found")
