"""How an error looks over HTTP: its status, and a body of code, message, reason and metadata as JSON.

The codes are Connect's: gRPC's names in lower case. A client of Connect finds the details of google.rpc as well.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import grpc
from fleetlog_core.errors import DOMAIN, FleetlogError
from fleetlog_core.printable import printable
from fleetlog_core.serving.status import DETAILS_KEY, cut, to_status
from google.protobuf.any_pb2 import Any as PackedAny
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

CLIENT_CLOSED = 499
"""Status of a call that its caller broke off; nobody reads it but the access log."""
HTTP_STATUS: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.CANCELLED: CLIENT_CLOSED,
    grpc.StatusCode.UNKNOWN: HTTPStatus.INTERNAL_SERVER_ERROR,
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    grpc.StatusCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS: HTTPStatus.INTERNAL_SERVER_ERROR,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
}
"""Connect's status of each code."""
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_UNSAID: Mapping[grpc.StatusCode, tuple[str, str]] = {
    grpc.StatusCode.CANCELLED: ("CANCELLED", "the call was cancelled"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        "DEADLINE_EXCEEDED", "the call took longer than it was given; ask for less, or set connect-timeout-ms",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("MESSAGE_TOO_LARGE", "a message is larger than may be sent; ask for less"),
    grpc.StatusCode.UNIMPLEMENTED: ("UNIMPLEMENTED", "the server behind this address does not know the call"),
    grpc.StatusCode.UNAVAILABLE: ("BACKEND_UNAVAILABLE", "the server behind this address does not answer; retry"),
}  # fmt: skip
"""Reasons and words for failures that gRPC tells of by itself: its own words name addresses."""
_INTERNAL = ("INTERNAL", "an internal error; the server's log has more")


@dataclass(eq=False)
class Failure(Exception):
    """Why a request is not answered as it was asked; what a client may see of it."""

    http_status: int
    code: str
    """Connect's name of the code, such as "not_found"."""
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[tuple[str, str]] = ()
    """Fields that are wrong, each with what is wrong."""
    retry_after_seconds: float | None = None
    details: Sequence[PackedAny] = ()

    def told(self) -> dict[str, Any]:
        """The error as JSON has it."""
        told: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "reason": self.reason,
            "metadata": dict(self.metadata),
        }
        if self.violations:
            told["violations"] = [{"field": name, "description": text} for name, text in self.violations]
        if self.retry_after_seconds is not None:
            told["retryAfterSeconds"] = self.retry_after_seconds
        if self.details:
            told["details"] = [
                {
                    "type": one.type_url.rpartition("/")[2],
                    "value": base64.b64encode(one.value).decode().rstrip("="),
                }
                for one in self.details
            ]
        return told

    def body(self) -> bytes:
        """The JSON of a response."""
        return json.dumps(self.told(), ensure_ascii=False).encode()

    def headers(self) -> list[tuple[str, str]]:
        """Headers of a response, its length not among them."""
        headers = [("content-type", "application/json")]
        if self.retry_after_seconds is not None:
            headers.append(("retry-after", str(math.ceil(self.retry_after_seconds))))
        return headers


def refusal(http_status: int, code: grpc.StatusCode, reason: str, message: str) -> Failure:
    """A request that is refused before any call is made."""
    return Failure(http_status, code.name.lower(), reason, cut(printable(message)))


def of_error(error: FleetlogError) -> Failure:
    """An error of fleetlog."""
    return of_status(to_status(error))


def of_call(error: grpc.aio.AioRpcError) -> Failure:
    """A gRPC call that failed."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return of_status(status_pb2.Status.FromString(value))
            except DecodeError:
                break
    reason, message = _UNSAID.get(error.code(), _INTERNAL)
    return Failure(HTTP_STATUS[error.code()], error.code().name.lower(), reason, message)


def of_status(status: status_pb2.Status) -> Failure:
    """An error with its details."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    has_retry = False
    for one in status.details:
        if one.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            one.Unpack(info)
        elif one.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            one.Unpack(bad)
        elif one.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            has_retry = one.Unpack(retry)
    return Failure(
        HTTP_STATUS[code],
        code.name.lower(),
        info.reason if info.domain == DOMAIN else code.name,
        status.message,
        dict(info.metadata),
        [(one.field, one.description) for one in bad.field_violations],
        retry.retry_delay.ToMilliseconds() / 1000 if has_retry else None,
        list(status.details),
    )
