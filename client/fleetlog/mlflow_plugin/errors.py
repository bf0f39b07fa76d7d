"""Errors of fleetlog as MLflow's: reasons and codes become its error codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    INVALID_STATE,
    PERMISSION_DENIED,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    RESOURCE_EXHAUSTED,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHENTICATED,
)

from fleetlog.errors import FleetlogError

MAX_MESSAGE = 1_000
"""Maximum of characters that are shown of a message."""
_CODES = {
    "INVALID_ARGUMENT": INVALID_PARAMETER_VALUE,
    "NOT_FOUND": RESOURCE_DOES_NOT_EXIST,
    "ALREADY_EXISTS": RESOURCE_ALREADY_EXISTS,
    "FAILED_PRECONDITION": INVALID_STATE,
    "OUT_OF_RANGE": INVALID_PARAMETER_VALUE,
    "RESOURCE_EXHAUSTED": RESOURCE_EXHAUSTED,
    "PERMISSION_DENIED": PERMISSION_DENIED,
    "UNAUTHENTICATED": UNAUTHENTICATED,
    "UNAVAILABLE": TEMPORARILY_UNAVAILABLE,
    "DEADLINE_EXCEEDED": TEMPORARILY_UNAVAILABLE,
}


@contextmanager
def translated() -> Iterator[None]:
    """Errors of fleetlog within are raised as MLflow's."""
    try:
        yield
    except FleetlogError as error:
        raise MlflowException(str(error), _CODES.get(error.code, INTERNAL_ERROR)) from error


def invalid(message: str) -> MlflowException:
    """An error of an argument."""
    return MlflowException(_shown(message), INVALID_PARAMETER_VALUE)


def missing(message: str) -> MlflowException:
    """An error of something that is not there."""
    return MlflowException(_shown(message), RESOURCE_DOES_NOT_EXIST)


def bad_state(message: str) -> MlflowException:
    """An error of something that is not in the state for it."""
    return MlflowException(_shown(message), INVALID_STATE)


def exists(message: str) -> MlflowException:
    """An error of something whose name is taken."""
    return MlflowException(_shown(message), RESOURCE_ALREADY_EXISTS)


def _shown(message: str) -> str:
    """The message as it can be shown to anybody, whatever text of a caller's is in it: escaped, and cut."""
    escaped = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in message[:MAX_MESSAGE])
    return escaped if len(message) <= MAX_MESSAGE else f"{escaped}…"
