"""Errors as the bytes that a call ends with."""

from __future__ import annotations

import pytest
from fleetlog_core.errors import FleetlogError, InvalidArgument, NotFound, PermissionDenied, Unavailable
from fleetlog_core.serving.status import TEXT_BYTES, status_bytes, to_status


@pytest.mark.parametrize(
    "error",
    [
        PermissionDenied("ROLE_MISSING", "this takes a role"),
        NotFound("RUN_NOT_FOUND", "é" * TEXT_BYTES),
        Unavailable("TOKENS_UNREAD", "retry", retry_after_seconds=1.5),
        InvalidArgument.of_field("STEP_INVALID", "step", "it is none"),
        FleetlogError("X", "with metadata", metadata={"a": "b"}),
    ],
    ids=lambda error: error.reason,
)
def test_bytes_that_are_kept_are_those_that_would_be_made(error: FleetlogError) -> None:
    for _ in range(2):
        assert status_bytes(error) == to_status(error).SerializeToString()


def test_errors_of_one_reason_and_text_are_told_apart_by_their_code() -> None:
    one, other = PermissionDenied("X", "text"), NotFound("X", "text")
    assert status_bytes(one) != status_bytes(other)
