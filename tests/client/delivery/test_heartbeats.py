"""Heartbeats of writers that live and send nothing else."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from fleetlog._delivery.account import Account
from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.heartbeats import MOST_WRITERS, Heartbeats, request_of, seconds_to_look
from fleetlog._delivery.in_flight import InFlight
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.responses import Responses
from fleetlog._events.items import Writer
from fleetlog._transport.connection import Connection
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.serving.status import to_status
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from tests.client.delivery.test_delivery import BACKOFF, row
from tests.client.gateway import SILENT, house
from tests.waiting import reached


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def writer(number: int, namespace: str = "default") -> Writer:
    started = event_pb2.RunStarted(heartbeats=True)
    return Writer(namespace, number.to_bytes(16, "big"), b"w" * 16, None, "Default", started, 0)


def hasty() -> float:
    """A clock by which every writer has been quiet for long."""
    return 1e6 * time.monotonic()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_writer_is_due_when_it_was_quiet_for_long_and_then_again(clock: Clock) -> None:
    heartbeats, one = Heartbeats(clock), writer(1)
    heartbeats.begin(one)
    for _ in range(3):
        clock.now += 29.9
        assert heartbeats.due() == []
        clock.now += 0.1
        assert heartbeats.due() == [one]
        assert heartbeats.due() == []


def test_nothing_is_due_while_events_flow_and_when_the_run_is_finished(clock: Clock) -> None:
    heartbeats, busy, idle = Heartbeats(clock), writer(1), writer(2)
    heartbeats.begin(busy)
    heartbeats.begin(idle)
    for _ in range(20):
        clock.now += 5.0
        heartbeats.wrote([busy, writer(3)])
        assert busy not in heartbeats.due()
    heartbeats.end(busy)
    heartbeats.end(idle)
    clock.now += 1e6
    assert heartbeats.due() == []


def test_a_server_that_knows_no_heartbeats_gets_none_until_the_next_stream(clock: Clock) -> None:
    heartbeats, one = Heartbeats(clock), writer(1)
    heartbeats.begin(one)
    heartbeats.refused()
    clock.now += 100.0
    assert heartbeats.due() == []
    heartbeats.stream_began()
    assert heartbeats.due() == [one]


def test_a_writer_may_be_quiet_for_as_long_as_the_streams_server_says(clock: Clock) -> None:
    heartbeats, one, other = Heartbeats(clock), writer(1), writer(2)
    heartbeats.stream_began()
    heartbeats.begin(one)
    for said in (0, 100, 0, 200):
        heartbeats.may_be_quiet(said)
    clock.now += 99.9
    assert heartbeats.due() == []
    clock.now += 0.1
    assert heartbeats.due() == [one]
    heartbeats.may_be_quiet(10)
    heartbeats.begin(other)
    clock.now += 10.0
    assert heartbeats.due() == [one, other]


def test_a_server_behind_a_stream_that_broke_is_told_at_once_who_lives(clock: Clock) -> None:
    heartbeats, one, other = Heartbeats(clock), writer(1), writer(2)
    heartbeats.stream_began()
    heartbeats.begin(one)
    heartbeats.begin(other)
    heartbeats.may_be_quiet(100)
    assert heartbeats.due() == [], "what opens their runs is on its way"
    heartbeats.stream_began()
    heartbeats.wrote([other])
    assert heartbeats.due() == [one]
    assert heartbeats.due() == []
    clock.now += 30.0
    assert heartbeats.due() == [one, other], "this server said nothing of longer"


@pytest.mark.parametrize(("now", "seconds"), [(1_000.25, 0.75), (1_000.0, 1.0), (1_000.999, 0.001)])
def test_heartbeats_are_looked_for_at_full_seconds(now: float, seconds: float) -> None:
    assert seconds_to_look(now) == pytest.approx(seconds, abs=1e-6)


def test_a_request_has_as_many_as_the_server_takes(clock: Clock) -> None:
    heartbeats = Heartbeats(clock)
    for number in range(MOST_WRITERS + 1):
        heartbeats.begin(writer(number))
    clock.now += 30.0
    assert [len(heartbeats.due()), len(heartbeats.due())] == [MOST_WRITERS, 1]


def test_a_request_names_writers_by_namespace() -> None:
    request = request_of([writer(1), writer(2, "b"), writer(3)])
    assert not request.HasField("frame")
    assert [(one.namespace, len(one.run_ids), len(one.writer_ids)) for one in request.heartbeats] == [
        ("default", 32, 32),
        ("b", 16, 16),
    ]


@pytest.mark.parametrize("refused", [False, True])
def test_the_answer_to_heartbeats_is_no_frames(clock: Clock, refused: bool) -> None:
    heartbeats, outbox, in_flight = Heartbeats(clock), Outbox(), InFlight(threading.Condition())
    account = Account(outbox, lambda kind, text: None)
    responses = Responses(in_flight, account, lambda position: None, heartbeats=heartbeats)
    heartbeats.begin(writer(1))
    assert in_flight.add_heartbeats()
    assert not in_flight.add_heartbeats(), "there is one that waits at most"
    response = ingest_pb2.AppendEventsResponse()
    if refused:
        response.status.CopyFrom(to_status(InvalidArgument("FRAME_EMPTY", "there is no event")))
    responses.answered(response)
    assert in_flight.silent_seconds() == 0.0
    assert in_flight.add_heartbeats()
    clock.now += 30.0
    assert bool(heartbeats.due()) != refused


def test_heartbeats_come_between_frames_over_one_stream(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        heartbeats = Heartbeats(hasty)
        delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF, heartbeats=heartbeats)
        one = writer(7)
        delivery.add(one)
        for step in range(5):
            delivery.outbox.put(row(one, step))
            assert delivery.flush(60.0)
            before = heartbeats._told[one]
            reached(lambda: heartbeats._told[one] > before)  # noqa: B023
        generation = delivery._stream.generation
        heartbeats.end(one)
        delivery.outbox.put(row(one, 5))
        assert delivery.flush(60.0)
        assert delivery._stream.generation == generation
        delivery.close()
        assert place._up is not None
        _, gateway = place._up
        assert list(gateway._heartbeats._heard) == [("default", 0)]
        kinds = [event.WhichOneof("payload") for frame in place.frames() for event in frame.events]
        assert kinds == ["run_started", *["metrics_logged"] * 6]


def test_a_server_that_answers_no_heartbeat_is_left_for_another_connection(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        heartbeats = Heartbeats(hasty)
        delivery = Delivery(
            Connection(place.target), backoff_seconds=BACKOFF, silence_seconds=0.5, heartbeats=heartbeats
        )
        one = writer(7)
        delivery.add(one)
        assert delivery.flush(60.0)
        place.faults.append(SILENT)
        generation = delivery._stream.generation
        reached(lambda: delivery._stream.generation > generation)
        delivery.outbox.put(row(one, 0))
        assert delivery.flush(60.0)
        heartbeats.end(one)
        delivery.close()
