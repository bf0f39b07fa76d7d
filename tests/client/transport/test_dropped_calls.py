"""Calls that a server drops before it has looked at them: they are made again."""

from __future__ import annotations

import grpc
import pytest
from fleetlog._transport.connection import Connection
from fleetlog.errors import Unavailable, from_call, is_verdict


class Cancelled(grpc.RpcError):
    """A call that ended as CANCELLED."""

    def __init__(self, details: str) -> None:
        super().__init__()
        self._details = details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.CANCELLED

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[()]:
        return ()


def test_a_call_that_a_server_dropped_is_made_again() -> None:
    connection, tries = Connection("127.0.0.1:1"), list[int]()

    def call() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Cancelled("CANCELLED")
        return "answer"

    assert connection.retried(call) == "answer"
    connection.close()


def test_one_that_is_dropped_again_and_again_is_told_and_no_verdict_on_what_was_sent() -> None:
    error = from_call(Cancelled("CANCELLED"), "host:1")
    assert (type(error), error.code, error.reason) == (Unavailable, "UNAVAILABLE", "CALL_DROPPED")
    assert not is_verdict(error)


@pytest.mark.parametrize("details", ["Locally cancelled by application!", "Locally cancelled"])
def test_a_call_that_this_process_ended_is_no_failure_of_a_server(details: str) -> None:
    assert from_call(Cancelled(details), "host:1").code == "CANCELLED"
