"""Lists of experiments with the activity of their runs, over a real server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import fleetlog
import grpc
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_core import limits
from fleetlog_proto.v1 import query_pb2

DAY = 86_400_000
START = 1_700_000_000_000


@pytest.fixture
def client(embedded_target: str) -> fleetlog.Client:
    """Reads a namespace with experiments b (two runs), A (one that ended, one that is deleted) and c (none)."""
    client = fleetlog.Client(embedded_target, f"activity-{uuid4().hex[:12]}")
    for name, days in (("b", (1, 9)), ("A", (3, 5))):
        runs = []
        for day in days:
            options = {"start_time": START + day * DAY, "target": embedded_target, "namespace": client.namespace}
            runs.append(fleetlog.start_run(name, f"day {day}", **options))  # type: ignore[arg-type]
        if name == "A":
            for run in runs:
                run.finish()
            client.delete_run(runs[1])
        fleetlog.flush(target=embedded_target)
    client.create_experiment("c")
    return client


def moment(day: int) -> datetime:
    return datetime.fromtimestamp((START + day * DAY) / 1000, UTC)


def test_runs_are_counted_as_searches_count_them(client: fleetlog.Client) -> None:
    found = {one.name: one.activity for one in client.experiments(activity=True)}
    for name, activity in found.items():
        assert activity is not None
        runs = client.search_runs(experiments=name, limit=None)
        assert activity.runs == len(runs)
        assert activity.running_runs == sum(run.state == "RUNNING" for run in runs)
        assert activity.last_start_time == max((run.start_time for run in runs), default=None)
        ends = [run.end_time for run in runs if run.end_time is not None]
        assert activity.last_end_time == max(ends, default=None)
    assert found["b"] is not None
    assert (found["b"].runs, found["b"].running_runs, found["b"].last_start_time) == (2, 2, moment(9))
    assert found["A"] is not None
    assert (found["A"].runs, found["A"].running_runs, found["A"].last_start_time) == (1, 0, moment(3))


def test_it_follows_every_change_and_the_past_stays(client: fleetlog.Client) -> None:
    then = fleetlog.Position.of(connection_to(client.target).position())
    (run,) = client.search_runs(experiments="A", deleted="deleted")
    client.restore_run(run)
    (now,) = client.experiments(contains="a", order_by="name", activity=True)[:1]
    assert (now.name, now.activity and now.activity.runs) == ("A", 2)
    past = {one.name: one.activity for one in client.experiments(activity=True, as_of=then)}
    assert past["A"] is not None
    assert (past["A"].runs, past["A"].last_start_time) == (1, moment(3))


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("number", ["Default", "b", "A", "c"]), ("name", ["A", "Default", "b", "c"]),
        ("last_start", ["b", "A", "Default", "c"]),
    ],
)  # fmt: skip
def test_pages_in_order_are_the_whole(
    client: fleetlog.Client, order: Literal["number", "name", "last_start"], names: list[str]
) -> None:
    assert [one.name for one in client.experiments(order_by=order)] == names
    connection, found = connection_to(client.target), list[str]()
    numbers = {
        "number": query_pb2.EXPERIMENT_ORDER_NUMBER, "name": query_pb2.EXPERIMENT_ORDER_NAME,
        "last_start": query_pb2.EXPERIMENT_ORDER_LAST_START,
    }  # fmt: skip
    request = query_pb2.ListExperimentsRequest(
        namespace=client.namespace, page_size=1, order_by=numbers[order], at_least=connection.position()
    )
    while True:
        page = connection.call(connection.query.ListExperiments, request)
        found += [one.name for one in page.experiments]
        assert not page.activities, "it is told on request alone"
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert found == names


def test_some_are_found_by_a_part_of_their_name(client: fleetlog.Client) -> None:
    assert [one.name for one in client.experiments(contains="A")] == ["Default", "A"]
    assert client.experiments(contains="nothing", activity=True) == []
    long = query_pb2.ListExperimentsRequest(contains="a" * (limits.FACET_TEXT_CHARACTERS + 1))
    with pytest.raises(grpc.RpcError, match="contains: 251 characters, at most 250"):
        connection_to(client.target).query.ListExperiments(long)
