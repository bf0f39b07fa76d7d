"""What the client raises.

    FleetlogError            reason, message, violations (fields), retry_after_seconds
    ├── InvalidArgument      a field is wrong
    ├── NotFound             no such run, experiment or artifact
    ├── AlreadyExists        a name is taken
    ├── FailedPrecondition   not at this time: a run has ended, a digest differs
    ├── ResourceExhausted    over a limit
    ├── Unavailable          no server answers
    └── DeadlineExceeded     the server did not answer in time

`run.log()` and its kin raise none of them: what can't be delivered is counted and warned about.
"""

from __future__ import annotations

from typing import Any

import grpc
from fleetlog_core.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    FleetlogError,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    Violation,
)
from fleetlog_core.printable import printable
from fleetlog_core.rules.losses import is_reason
from google.rpc import error_details_pb2, status_pb2

DETAILS_KEY = "grpc-status-details-bin"
_BY_CODE: dict[str, type[FleetlogError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument, NotFound, AlreadyExists, FailedPrecondition, ResourceExhausted, Unavailable, DeadlineExceeded,
    )
}  # fmt: skip
RETRY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "RESOURCE_EXHAUSTED")
"""Codes after which the same may succeed later."""
_NUMBERS = {code.value[0]: code.name for code in grpc.StatusCode}


def from_status(status: status_pb2.Status) -> FleetlogError:
    """The error of a google.rpc.Status."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    delay: float | None = None
    for detail in status.details:
        if detail.Unpack(info) or detail.Unpack(bad):
            continue
        if detail.Unpack(retry):
            delay = retry.retry_delay.ToMilliseconds() / 1e3
    kind = _BY_CODE.get(_NUMBERS.get(status.code, ""), FleetlogError)
    violations = tuple(Violation(printable(v.field), printable(v.description)) for v in bad.field_violations)
    name = _NUMBERS.get(status.code, "UNKNOWN")
    known = kind(
        # What is no reason is none that anybody waits for, and would be told to the run as one.
        info.reason if is_reason(info.reason) else name,
        status.message,
        violations=violations,
        metadata=dict(info.metadata),
        retry_after_seconds=delay,
    )
    known.code = name
    return known


def from_call(error: grpc.RpcError, target: str) -> FleetlogError:
    """The error of a failed call."""
    call: Any = error
    if not hasattr(call, "trailing_metadata"):
        return FleetlogError("UNKNOWN", str(error))
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    code = call.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable(
            "SERVER_UNAVAILABLE",
            f"no server answers at {target}: start one with `fleetlog up`,"
            " or give the address of one in FLEETLOG_TARGET",
        )
    known = _BY_CODE.get(code.name, FleetlogError)(code.name, call.details() or code.name)
    known.code = code.name
    return known


__all__ = [
    "AlreadyExists",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FleetlogError",
    "InvalidArgument",
    "NotFound",
    "ResourceExhausted",
    "Unavailable",
    "from_call",
    "from_status",
]
