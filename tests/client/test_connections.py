"""Connections: what they remember of writes, how often a call is made again, and streams that are taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest
from fleetlog._transport import connection as connections
from fleetlog._transport.connection import Connection, close_unused, connection_to, resolve_namespace
from fleetlog._transport.streaming import resumed
from fleetlog.errors import FleetlogError, NotFound, Unavailable
from fleetlog_proto.v1 import position_pb2

from tests.ports import free_port


def target() -> str:
    """An address where nobody is."""
    return f"127.0.0.1:{free_port()}"


def at(partition: int, offset: int) -> position_pb2.Position:
    return position_pb2.Position(
        offsets=[position_pb2.PartitionOffset(topic="events", partition=partition, next_offset=offset)]
    )


def offsets(connection: Connection) -> dict[int, int]:
    return {one.partition: one.next_offset for one in connection.position().offsets}


def test_the_position_is_the_furthest_of_each_partition() -> None:
    connection = connection_to(target())
    for partition, offset in ((0, 5), (1, 2), (0, 3)):
        connection.saw(at(partition, offset))
    assert offsets(connection) == {0: 5, 1: 2}


def test_one_process_has_one_connection_to_an_address_and_closing_it_forgets_no_write() -> None:
    where = target()
    first = connection_to(where)
    assert connection_to(where) is first
    first.saw(at(0, 9))
    close_unused(where)
    second = connection_to(where)
    assert second is not first
    assert offsets(second) == {0: 9}


def test_a_connection_that_is_in_use_stays() -> None:
    where = target()
    first = connection_to(where)
    with first.calling():
        close_unused(where)
        assert connection_to(where) is first
    close_unused(where)
    assert connection_to(where) is not first


class Answers:
    """A method of a stub: it raises or gives these, one a call."""

    def __init__(self, *answers: Exception | str) -> None:
        self._answers = list(answers)

    def __call__(self, request: object, timeout: float, metadata: object) -> str:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def left(self) -> int:
        return len(self._answers)


def test_a_call_is_made_again_only_when_no_server_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "RETRY_PAUSES", (0.0, 0.0))
    connection, away = connection_to(target()), Unavailable("SERVER_UNAVAILABLE", "away")
    assert connection.call(Answers(away, away, "there"), None) == "there"
    with pytest.raises(Unavailable):
        connection.call(Answers(away, away, away, "too late"), None)
    once = Answers(NotFound("RUN_NOT_FOUND", "none"), "not asked for")
    with pytest.raises(NotFound):
        connection.call(once, None)
    assert once.left == 1


def test_a_namespace_is_the_one_given_or_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETLOG_NAMESPACE", raising=False)
    assert resolve_namespace(None) == "default"
    monkeypatch.setenv("FLEETLOG_NAMESPACE", "of-env")
    assert (resolve_namespace(None), resolve_namespace("given")) == ("of-env", "given")


class Broken(grpc.RpcError):
    """An error as gRPC raises it."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "broken"

    def trailing_metadata(self) -> tuple[()]:
        return ()


class Pieces:
    """A stream of some answers, which then breaks or ends."""

    def __init__(self, pieces: list[int], error: grpc.RpcError | None) -> None:
        self._pieces, self._error = pieces, error

    def __iter__(self) -> Iterator[int]:
        yield from self._pieces
        if self._error is not None:
            raise self._error

    def cancel(self) -> bool:
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return False


def streams(*pieces: Pieces) -> Callable[[object], Pieces]:
    rest = iter(pieces)
    return lambda stub: next(rest)


AWAY, REFUSED = Broken(grpc.StatusCode.UNAVAILABLE), Broken(grpc.StatusCode.NOT_FOUND)


def test_a_stream_that_breaks_goes_on_where_it_broke() -> None:
    start = streams(Pieces([1, 2], AWAY), Pieces([3], Broken(grpc.StatusCode.CANCELLED)), Pieces([4], None))
    assert list(resumed(target(), start, lambda: 1)) == [1, 2, 3, 4]


def test_a_stream_that_brings_nothing_is_taken_up_as_often_as_was_said() -> None:
    found = resumed(target(), streams(Pieces([1], AWAY), Pieces([], AWAY), Pieces([9], None)), lambda: 1)
    assert next(found) == 1
    with pytest.raises(Unavailable):
        next(found)


def test_an_error_that_says_something_of_the_request_ends_it() -> None:
    with pytest.raises(FleetlogError) as error:
        list(resumed(target(), streams(Pieces([], REFUSED), Pieces([9], None)), lambda: None))
    assert error.value.code == "NOT_FOUND"
