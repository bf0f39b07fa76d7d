"""Who did what, by a client of a server that asks nobody: runs, experiments, models, pages, the past, odd texts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import fleetlog
import grpc
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_proto.v1 import audit_pb2, ingest_pb2

KINDS = ("run_started", "metrics_logged", "run_finished")


@pytest.fixture(scope="module")
def namespace() -> str:
    return f"audit-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def client(embedded_target: str, namespace: str) -> Iterator[fleetlog.Client]:
    with fleetlog.Client(embedded_target, namespace) as client:
        yield client


@pytest.fixture(scope="module")
def run_id(client: fleetlog.Client) -> str:
    return logged(client, "first")


def logged(client: fleetlog.Client, experiment: str, name: str = "", steps: int = 30) -> str:
    with fleetlog.start_run(experiment, name=name or None, target=client.target, namespace=client.namespace) as run:
        for step in range(steps):
            run.log({"loss": 1.0 / (step + 1)}, step=step)
    client.flush(timeout=120, level="applied")
    return run.id


def test_a_runs_events_come_in_the_order_of_the_log(client: fleetlog.Client, run_id: str) -> None:
    events = list(client.events(run_id))
    assert [kind for kind in KINDS if any(kind in event.kinds for event in events)] == list(KINDS)
    assert [event.offset for event in events] == sorted({event.offset for event in events})
    assert {(event.run_id, event.experiment, event.refused) for event in events} == {(run_id, 1, "")}
    # However many frames they came in.
    assert " of loss, step" in " ".join(event.summary for event in events)
    latest = list(client.events(run_id, latest_first=True))
    assert latest == events[::-1]


def test_pages_of_one_give_the_same(client: fleetlog.Client, run_id: str) -> None:
    whole = [event.offset for event in client.events(run_id)]
    request = audit_pb2.ListEventsRequest(namespace=client.namespace, run_id=run_id, page_size=1)
    query, paged = connection_to(client.target).query, list[int]()
    while True:
        answer = query.ListEvents(request, timeout=60)
        paged += [event.offset for event in answer.events]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert paged == whole


def test_an_experiments_events_are_its_runs_and_its_own(client: fleetlog.Client, run_id: str) -> None:
    other = logged(client, "second")
    client.update_experiment(client.get_experiment("second"), tags={"a": "b"})
    events = list(client.events(experiment="second"))
    assert {event.run_id for event in events} == {"", other}
    assert {kind for event in events if not event.run_id for kind in event.kinds} == {
        "experiment_created", "experiment_updated",
    }  # fmt: skip
    everything = list(client.events())
    assert {run_id, other} <= {event.run_id for event in everything}
    assert all(event in everything for event in events)


def test_a_models_events_are_what_was_accepted_of_it(client: fleetlog.Client) -> None:
    client.create_model("tiny-lm")
    client.create_model("another")
    with pytest.raises(fleetlog.AlreadyExists):
        client.create_model("tiny-lm")
    events = list(client.events(model="tiny-lm"))
    assert [event.kinds for event in events] == [("registered_model_created",)]
    assert events[0].summary == "registered model created, name tiny-lm"
    made = list(client.events(kinds="registered_model_created"))
    assert [event.refused for event in made] == ["", "", "MODEL_EXISTS"]
    with pytest.raises(fleetlog.NotFound):
        list(client.events(model="nothing"))


def test_events_are_as_of_a_position(client: fleetlog.Client) -> None:
    run = logged(client, "past")
    events = list(client.events(run))
    client.update_run(run, tags={"later": "yes"})
    assert list(client.events(run, as_of=events[-1].position)) == events
    assert len(list(client.events(run))) > len(events)
    first = list(client.events(run, as_of=events[0].position))
    assert first == events[:1]


def test_events_are_found_by_kind_and_time(client: fleetlog.Client, run_id: str) -> None:
    finished = list(client.events(run_id, kinds="run_finished"))
    assert len(finished) == 1
    assert "run_finished" in finished[0].kinds
    assert list(client.events(run_id, since="1h")) == list(client.events(run_id))
    assert list(client.events(run_id, until="1h")) == []
    with pytest.raises(fleetlog.InvalidArgument, match="is none; give some of"):
        list(client.events(run_id, kinds="run_exploded"))


def test_the_whole_message_comes_from_the_log(client: fleetlog.Client, run_id: str) -> None:
    (first,) = client.events(run_id, limit=1, messages=True)
    assert first.message is not None
    assert first.message["namespace"] == client.namespace
    assert "run_started" in first.message["events"][0]


def test_a_purged_run_still_has_its_history(client: fleetlog.Client) -> None:
    run = logged(client, "purged")
    client.delete_run(run)
    connection = connection_to(client.target)
    purge = ingest_pb2.PurgeRunRequest(
        namespace=client.namespace, run_id=run, request_id=uuid.uuid4().bytes, at_least=connection.position()
    )
    connection.saw(connection.ingest.PurgeRun(purge, timeout=60).position)
    kinds = [kind for event in client.events(run) for kind in event.kinds]
    assert [kind for kind in kinds if kind in ("run_deleted", "run_purged")] == ["run_deleted", "run_purged"]


def test_what_is_of_another_namespace_is_as_what_is_not_there(client: fleetlog.Client, run_id: str) -> None:
    other = fleetlog.Client(client.target, f"{client.namespace}-other")
    with pytest.raises(fleetlog.NotFound) as foreign:
        list(other.events(run_id))
    with pytest.raises(fleetlog.NotFound) as missing:
        list(other.events("0" * 32))
    assert str(foreign.value).replace(run_id, "0" * 32) == str(missing.value)
    assert list(other.events()) == []


def test_a_forged_page_token_is_refused(client: fleetlog.Client, run_id: str) -> None:
    query = connection_to(client.target).query
    # That of the experiment and that of the run are two records at least.
    token = query.ListEvents(
        audit_pb2.ListEventsRequest(namespace=client.namespace, page_size=1), timeout=60
    ).next_page_token  # fmt: skip
    assert token
    changed = token[:8] + ("A" if token[8] != "A" else "B") + token[9:]
    for about, wrong in (("", changed), ("", "é"), (run_id, token)):
        asked = audit_pb2.ListEventsRequest(namespace=client.namespace, page_size=1, page_token=wrong)
        if about:
            asked.run_id = about
        with pytest.raises(grpc.RpcError, match="not from the response before"):
            query.ListEvents(asked, timeout=60)


def test_names_that_mean_harm_are_escaped(client: fleetlog.Client) -> None:
    run = logged(client, "odd", name="a\u202e'; DROP TABLE log_times --", steps=1)
    started = next(client.events(run, kinds="run_started"))
    assert r"a\u202e'; DROP TABLE log_times --" in started.summary
    assert list(client.events(principal="' OR 1=1 --")) == []


def test_nobody_denied_anything_here(client: fleetlog.Client) -> None:
    assert [call for call in client.denied_calls() if call.namespace == client.namespace] == []
