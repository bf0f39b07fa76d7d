"""A connection that is lost amid a call: the call is made again, also one that answers in a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import fleetlog
import grpc
import pytest
from fleetlog_proto.v1 import metric_pb2, query_pb2

from tests.client.strange import strange_server

RUN = "0" * 32
READS: list[tuple[Callable[[fleetlog.Client], object], str, Callable[[], Any]]] = [
    (lambda client: client.experiments(), "ListExperiments", query_pb2.ListExperimentsResponse),
    (lambda client: client.read_metric(RUN, "x"), "ReadMetric", lambda: iter([metric_pb2.ReadMetricResponse()])),
]


def losing(times: int, answer: Callable[[], Any]) -> Any:
    """A handler that ends its first calls as a connection that breaks does."""
    left = iter(range(times))

    def whole(request: Any, context: grpc.ServicerContext) -> Any:
        if next(left, None) is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return answer()

    def in_pieces(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from whole(request, context)

    return in_pieces if hasattr(answer(), "__next__") else whole


@pytest.mark.parametrize(("read", "call", "answer"), READS)
def test_a_read_is_made_again(read: Callable[[fleetlog.Client], object], call: str, answer: Callable[[], Any]) -> None:
    with strange_server(**{call: losing(2, answer)}) as target:
        read(fleetlog.Client(target))


@pytest.mark.parametrize(("read", "call", "answer"), READS)
def test_a_server_that_stays_away_is_told_of(
    read: Callable[[fleetlog.Client], object], call: str, answer: Callable[[], Any]
) -> None:
    with strange_server(**{call: losing(100, answer)}) as target:
        with pytest.raises(fleetlog.Unavailable) as caught:
            read(fleetlog.Client(target))
        assert caught.value.reason == "SERVER_UNAVAILABLE"
