"""Errors as google.rpc.Status: code, message, ErrorInfo, BadRequest, RetryInfo."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from fleetlog_core.errors import FleetlogError

DOMAIN = "fleetlog"
DETAILS_KEY = "grpc-status-details-bin"
CHARACTERS = 500
"""Of a message or of a field's description."""
VIOLATIONS = 3
_CODES = {code.name: code for code in grpc.StatusCode}


def code_of(error: FleetlogError) -> grpc.StatusCode:
    """The gRPC status code."""
    return _CODES.get(error.code, grpc.StatusCode.UNKNOWN)


def to_status(error: FleetlogError) -> status_pb2.Status:
    """The error with its details. All of it travels as headers, of which clients take 8 kB: texts are cut."""
    packed = [_packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))]
    if error.violations:
        bad = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=_cut(v.field), description=_cut(v.description))
                for v in error.violations[:VIOLATIONS]
            ]
        )
        packed.append(_packed(bad))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after_seconds * 1000))
        packed.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    number: int = code_of(error).value[0]
    return status_pb2.Status(code=number, message=_cut(error.message), details=packed)


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[: CHARACTERS - 1] + "…"


def _packed(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
