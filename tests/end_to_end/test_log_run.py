"""LogRun, over a real server: a run by calls that each are whole."""

from __future__ import annotations

import uuid
from typing import Any

import fleetlog
import pytest
from fleetlog._transport.connection import Connection, connection_to
from fleetlog_proto.v1 import event_pb2, ingest_pb2

SECONDS = 120.0


@pytest.fixture
def connection(embedded_target: str) -> Connection:
    return connection_to(embedded_target)


@pytest.fixture
def client(embedded_target: str) -> fleetlog.Client:
    return fleetlog.Client(embedded_target)


def log_run(connection: Connection, **fields: Any) -> ingest_pb2.LogRunResponse:
    answer: ingest_pb2.LogRunResponse = connection.ingest.LogRun(ingest_pb2.LogRunRequest(**fields), timeout=SECONDS)
    connection.saw(answer.position)
    return answer


def points(*values: float, first: int = 0) -> list[ingest_pb2.MetricValues]:
    return [ingest_pb2.MetricValues(step=first + n, values={"loss": value}) for n, value in enumerate(values)]


def refusal(connection: Connection, **fields: Any) -> str:
    with pytest.raises(fleetlog.FleetlogError) as caught:
        connection.call(connection.ingest.LogRun, ingest_pb2.LogRunRequest(**fields), SECONDS)
    return caught.value.reason


def test_a_run_is_started_logged_to_and_ended_by_calls(
    connection: Connection, client: fleetlog.Client, experiment: str
) -> None:
    made = log_run(connection, experiment_name=experiment, name="curl", user="me", metrics=points(3, 2))
    # The second call knows nothing of the experiment, and comes before the first one may be applied.
    file = ingest_pb2.SmallArtifact(path="notes/a.txt", content=b"hello")
    more = log_run(connection, run_id=made.run_id, metrics=points(1, first=2), tags={"a": "b"}, artifacts=[file])
    assert (more.run_id, more.experiment_id) == (made.run_id, made.experiment_id)
    log_run(connection, run_id=made.run_id, state=event_pb2.RUN_STATE_FINISHED)
    run = client.get_run(made.run_id)
    assert (run.name, run.user, run.state, run.tags["a"], run.problems) == ("curl", "me", "FINISHED", "b", [])
    assert client.get_experiment(experiment).id == made.experiment_id == run.experiment_id
    assert client.read_metric(run.id, "loss").values.tolist() == [3, 2, 1]
    assert [one.path for one in client.list_artifacts(run.id)] == ["notes/a.txt"]


def test_a_call_again_changes_nothing_and_another_one_under_its_id_is_refused(
    connection: Connection, client: fleetlog.Client
) -> None:
    request_id = uuid.uuid4().bytes
    calls = [log_run(connection, request_id=request_id, metrics=points(1, 2)) for _ in range(3)]
    assert {call.run_id for call in calls} == {request_id.hex()}
    run = client.get_run(request_id.hex())
    assert client.read_metric(run.id, "loss").values.tolist() == [1, 2]
    assert not run.problems
    assert refusal(connection, request_id=request_id, metrics=points(5)) == "REQUEST_ID_REUSED"


def test_a_run_that_ended_takes_more_and_stays_ended(connection: Connection, client: fleetlog.Client) -> None:
    made = log_run(connection, metrics=points(1), state=event_pb2.RUN_STATE_FAILED, end_time_millis=5_000)
    log_run(connection, run_id=made.run_id, tags={"why": "out of memory"})
    run = client.get_run(made.run_id)
    assert (run.state, run.tags["why"]) == ("FAILED", "out of memory")
    log_run(connection, run_id=made.run_id, state=event_pb2.RUN_STATE_RUNNING)
    assert client.get_run(made.run_id).state == "RUNNING"


def test_nothing_is_taken_of_a_call_that_is_wrong(connection: Connection, client: fleetlog.Client) -> None:
    run_id = uuid.uuid4().hex
    assert refusal(connection, run_id=run_id, metrics=[*points(1), ingest_pb2.MetricValues(step=2)]) == "METRICS_EMPTY"
    assert refusal(connection, run_id="ab") == "INVALID_ID"
    assert refusal(connection, request_id=b"short") == "INVALID_ID"
    assert refusal(connection, experiment_id=999_999) == "EXPERIMENT_NOT_FOUND"
    large = ingest_pb2.SmallArtifact(path="a", content=b"x" * ((1 << 20) + 1))
    assert refusal(connection, run_id=run_id, artifacts=[large]) == "OVER_LIMIT"
    with pytest.raises(fleetlog.NotFound):
        client.get_run(run_id)


def test_a_deleted_run_takes_nothing(connection: Connection, client: fleetlog.Client) -> None:
    made = log_run(connection, metrics=points(1))
    client.delete_run(made.run_id)
    position = connection.position()
    assert refusal(connection, run_id=made.run_id, tags={"a": "b"}, at_least=position) == "RUN_DELETED"
