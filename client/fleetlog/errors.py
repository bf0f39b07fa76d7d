"""What the client raises.

    FleetlogError            reason, message, violations (fields), retry_after_seconds
    ├── InvalidArgument      a field is wrong
    ├── NotFound             no such run, experiment or artifact
    ├── AlreadyExists        a name is taken
    ├── FailedPrecondition   not at this time: a run has ended, a digest differs
    ├── OutOfRange           not the next one of what is sent in order
    ├── ResourceExhausted    over a limit
    ├── Unauthenticated      no valid token
    ├── PermissionDenied     the token has no role for it
    ├── Unavailable          no server answers
    ├── DeadlineExceeded     the server did not answer in time
    └── DataLoss             what is stored is damaged

`run.log()` and its kin raise none of them: what can't be delivered is counted and warned about.
"""

from __future__ import annotations

from typing import Any

import grpc
from fleetlog_core.errors import (
    DOMAIN,
    AlreadyExists,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    FleetlogError,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Violation,
    shown,
)
from fleetlog_core.printable import printable
from fleetlog_core.rules.losses import is_reason
from google.rpc import error_details_pb2, status_pb2

DETAILS_KEY = "grpc-status-details-bin"
_BY_CODE: dict[str, type[FleetlogError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument, NotFound, AlreadyExists, FailedPrecondition, OutOfRange, ResourceExhausted, Unavailable,
        DeadlineExceeded, DataLoss, Unauthenticated, PermissionDenied,
    )
}  # fmt: skip
_CLOSED = ("Socket closed", "Connection reset", "Broken pipe")
SERVER_UNAVAILABLE = "SERVER_UNAVAILABLE"
"""Reason when no server answers."""
TLS_SCHEME = "fleetlogs://"
"""Before addresses that are spoken to with TLS."""
_NO_GRPC = ("Failed parsing HTTP/2", "http1.x", "http2 header with status", "invalid content-type")
"""What gRPC says of a peer that speaks something else, or of a proxy that answers by itself."""
_VERDICTS = (
    "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "NOT_FOUND",
    "ALREADY_EXISTS",
)  # fmt: skip
"""Codes that speak of what was sent, when fleetlog says so and names no time to come back at."""
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
    known.domain = info.domain
    return known


_CANCELLED_HERE = "Locally cancelled"
"""How gRPC's words begin for a call that this process ended itself."""


def from_call(error: grpc.RpcError, target: str) -> FleetlogError:
    """The error of a failed call."""
    call: Any = error
    if not hasattr(call, "trailing_metadata"):
        return _unknown_sender(FleetlogError("UNKNOWN", str(error)), "UNKNOWN")
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    name, details = call.code().name, call.details() or call.code().name
    if name == "UNIMPLEMENTED" or any(text in details for text in _NO_GRPC):
        kind = _BY_CODE.get(name, FleetlogError)
        return _unknown_sender(kind("NOT_FLEETLOG", _other_service(name, details, target)), name)
    if name == "UNAVAILABLE" and (why := tls_problem(details, target)):
        return _unknown_sender(Unavailable("TLS_FAILED", f"no TLS with {target}: {why}"), name)
    if name == "UNAVAILABLE":
        closed = next((text for text in _CLOSED if text in details), "")
        why = ""
        if closed and target.startswith(TLS_SCHEME):
            why = f" ({closed}: does it want a client's certificate that it trusts, in FLEETLOG_CLIENT_CERTIFICATE?)"
        elif closed:
            why = f" ({closed}: is it a port with TLS, or of another service? give {TLS_SCHEME}{target} for TLS)"
        return _unknown_sender(
            Unavailable(
                SERVER_UNAVAILABLE,
                f"no server answers at {target}{why}: start one with `fleetlog up`,"
                " or give the address of one in FLEETLOG_TARGET",
                metadata={"closed": closed} if closed else None,
            ),
            name,
        )
    if name == "CANCELLED" and not details.startswith(_CANCELLED_HERE):
        # gRPC drops calls while thousands wait, before its server's code has seen them.
        dropped = f"the server at {target} dropped the call, as one does that has too many; ask again later"
        return _unknown_sender(Unavailable("CALL_DROPPED", dropped), "UNAVAILABLE")
    return _unknown_sender(_BY_CODE.get(name, FleetlogError)(name, details), name)


def tls_problem(details: str, target: str) -> str:
    """What is wrong with TLS by gRPC's words, and the mend; "" when they say nothing of it."""
    if "WRONG_VERSION_NUMBER" in details:
        return f"the port speaks without TLS; give {target.removeprefix(TLS_SCHEME)} without {TLS_SCHEME}"
    if "Hostname Verification Check failed" in details:
        return "the server's certificate is for another name than the one in the address; give a name that it has"
    if "CERTIFICATE_VERIFY_FAILED" in details:
        if "expired" in details or "not yet valid" in details:
            return "the server's certificate has expired, or is not valid yet, by this machine's clock"
        return "the server's certificate is not signed by a CA that is trusted here; name the CA's file in FLEETLOG_CA"
    if "andshake failed" in details:
        return shown(details[-90:])
    return ""


def _other_service(code: str, details: str, target: str) -> str:
    if code == "UNIMPLEMENTED" and "http2 header" not in details:
        what = "a gRPC server that does not know this call: another service, or an older fleetlog"
    else:
        what = f"not a fleetlog server, or a proxy in front of one: {shown(details[-90:])}"
    return f"what answers at {target} is {what}; give the address of a fleetlog server, which `fleetlog up` tells"


def _unknown_sender(error: FleetlogError, code: str) -> FleetlogError:
    """The error with its code, as one that says nothing of the data: it may be of anything on the way."""
    error.code, error.domain = code, ""
    return error


def is_fleetlogs(error: FleetlogError) -> bool:
    """True if a fleetlog server said it, or this client itself; then it speaks of what was sent."""
    return error.domain == DOMAIN


def is_verdict(error: FleetlogError) -> bool:
    """True if it is fleetlog's verdict on what was sent: the same has the same answer for ever.

    All else, of a proxy for instance, a shortage, or an error that is not known, may be over soon.
    """
    return is_fleetlogs(error) and error.code in _VERDICTS and error.retry_after_seconds is None


__all__ = [
    "AlreadyExists",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FleetlogError",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "from_call",
    "from_status",
    "is_fleetlogs",
    "is_verdict",
]
