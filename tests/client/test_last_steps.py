"""The last step of a run that is joined: read behind what others wrote, not behind its own first event."""

from __future__ import annotations

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.outbox import Outbox
from fleetlog._events.items import Item, Marker, Writer
from fleetlog._runs.last_steps import last_step
from fleetlog._transport.connection import Connection
from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_proto.v1 import event_pb2, position_pb2, query_pb2, run_pb2

from tests.ports import free_port

WRITER = Writer("default", new_run_id(), new_random_id(), None, "x", event_pb2.RunStarted())


class Durable(Outbox):
    """Everything that is put is durable at once, as the next event of two partitions."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def put(self, item: Item, wait_seconds: float = 0.0) -> bool:
        assert isinstance(item, Marker)
        places = [position_pb2.PartitionOffset(topic="events", partition=one, next_offset=8 + one) for one in (0, 1)]
        self._connection.saw(position_pb2.Position(offsets=places))
        item.reached.set()
        return True


class Answering(Connection):
    """A connection whose server knows a run of two metrics."""

    def __init__(self) -> None:
        super().__init__(f"127.0.0.1:{free_port()}")
        self.asked: list[query_pb2.GetRunsRequest] = []
        setattr(self.query, "GetRuns", self._runs)  # noqa: B010

    def _runs(self, request: query_pb2.GetRunsRequest, timeout: float, metadata: object) -> query_pb2.GetRunsResponse:
        self.asked.append(request)
        metrics = [run_pb2.MetricSummary(key=key, last_step=step) for key, step in (("a", 7), ("b", 3))]
        return query_pb2.GetRunsResponse(runs=[run_pb2.Run(metrics=metrics)])


def test_it_is_read_just_before_the_writers_own_event() -> None:
    connection = Answering()
    assert last_step(Delivery(connection, Durable(connection)), WRITER, 5.0) == 7
    (request,) = connection.asked
    assert {one.partition: one.next_offset for one in request.at_least.offsets} == {0: 7, 1: 8}
    # What this process reads later waits for its own event as ever.
    assert {one.partition: one.next_offset for one in connection.position().offsets} == {0: 8, 1: 9}


def test_a_server_that_takes_nothing_in_time_leaves_it_unknown() -> None:
    connection = Answering()
    assert last_step(Delivery(connection), WRITER, 0.0) is None
    assert connection.asked == []
