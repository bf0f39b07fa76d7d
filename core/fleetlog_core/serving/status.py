"""Errors as google.rpc.Status: code, message, ErrorInfo, BadRequest, RetryInfo."""

from __future__ import annotations

from functools import lru_cache

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from fleetlog_core.errors import DOMAIN, FleetlogError

DETAILS_KEY = "grpc-status-details-bin"
TEXT_BYTES = 1_000
"""What a status says travels in metadata, of which clients take 8 KiB: beyond that they see RESOURCE_EXHAUSTED."""
VIOLATIONS = 4
KEPT = 256
"""Errors without details of their own whose bytes are kept."""
_CODES = {code.name: code for code in grpc.StatusCode}


def code_of(error: FleetlogError) -> grpc.StatusCode:
    """The gRPC status code."""
    return _CODES.get(error.code, grpc.StatusCode.UNKNOWN)


def cut(text: str, limit: int = TEXT_BYTES) -> str:
    """The text, or as much of its beginning as has `limit` bytes."""
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= limit else data[: limit - 3].decode("utf-8", "ignore") + "…"


def status_bytes(error: FleetlogError) -> bytes:
    """The error as a serialized google.rpc.Status. Of those that say the same each time the bytes are kept."""
    if error.metadata or error.violations or error.retry_after_seconds is not None:
        return _serialized(error)
    return _plain_bytes(error.code, error.reason, cut(error.message))


@lru_cache(maxsize=KEPT)
def _plain_bytes(code: str, reason: str, message: str) -> bytes:
    error = FleetlogError(reason, message)
    error.code = code
    return _serialized(error)


def _serialized(error: FleetlogError) -> bytes:
    data: bytes = to_status(error).SerializeToString()
    return data


def to_status(error: FleetlogError) -> status_pb2.Status:
    """The error with its details; long texts are cut, and of many violations the first are kept."""
    details = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    packed = [_packed(details[0])]
    if error.violations:
        bad = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=cut(v.field, TEXT_BYTES // VIOLATIONS), description=cut(v.description, TEXT_BYTES // 2)
                )
                for v in error.violations[:VIOLATIONS]
            ]
        )
        packed.append(_packed(bad))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after_seconds * 1000))
        packed.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    number: int = code_of(error).value[0]
    return status_pb2.Status(code=number, message=cut(error.message), details=packed)


def _packed(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
