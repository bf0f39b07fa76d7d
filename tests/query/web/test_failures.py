from __future__ import annotations

import base64

import grpc
import pytest
from fleetlog_core.errors import InvalidArgument, ResourceExhausted
from fleetlog_core.serving.status import DETAILS_KEY, to_status
from fleetlog_query.web.failures import HTTP_STATUS, Failure, of_call, of_error
from google.rpc import error_details_pb2
from grpc.aio import AioRpcError, Metadata


def failed(code: grpc.StatusCode, details: str, trailing: Metadata | None = None) -> Failure:
    return of_call(AioRpcError(code, Metadata(), trailing or Metadata(), details))


def test_an_error_keeps_all_that_a_client_may_see_of_it() -> None:
    error = InvalidArgument.of_field("KEY_TOO_LONG", "params[0].key", "300 characters, at most 250")
    status = to_status(error)
    for failure in (of_error(error), failed(
        grpc.StatusCode.INVALID_ARGUMENT, "other words", Metadata((DETAILS_KEY, status.SerializeToString()))
    )):  # fmt: skip
        told = failure.told()
        assert failure.http_status == 400
        assert (told["code"], told["reason"], told["message"]) == ("invalid_argument", "KEY_TOO_LONG", error.message)
        assert told["violations"] == [{"field": "params[0].key", "description": "300 characters, at most 250"}]
        packed = {one["type"]: one["value"] for one in told["details"]}
        value = packed["google.rpc.ErrorInfo"]
        info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(value + "=" * (-len(value) % 4)))
        assert info.reason == "KEY_TOO_LONG"


def test_who_is_to_come_again_is_told_when() -> None:
    failure = of_error(ResourceExhausted("BUSY", "too much", retry_after_seconds=1.5))
    assert (failure.http_status, failure.told()["retryAfterSeconds"]) == (429, 1.5)
    assert ("retry-after", "2") in failure.headers()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, "BACKEND_UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.UNKNOWN, "INTERNAL"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE"),
    ],
)
def test_what_grpc_says_by_itself_stays_here(code: grpc.StatusCode, reason: str) -> None:
    """It names addresses of servers that nobody outside knows."""
    failure = failed(code, "failed to connect to all addresses; ipv4:10.0.0.7:7460")
    assert failure.reason == reason
    assert b"10.0.0.7" not in failure.body()


def test_details_that_are_none_are_passed_over() -> None:
    assert failed(grpc.StatusCode.INTERNAL, "x", Metadata((DETAILS_KEY, b"\xff\xff"))).reason == "INTERNAL"


def test_every_code_has_a_status() -> None:
    assert set(HTTP_STATUS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}
