"""Experiments without a number: their runs wait, and nobody else does."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleetlog._delivery.delivery import Delivery
from fleetlog._events.items import Writer
from fleetlog._transport.connection import Connection
from fleetlog_core.errors import InvalidArgument, Unavailable
from fleetlog_core.ids import new_random_id
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import event_pb2, experiment_pb2, ingest_pb2

from tests.client.delivery.test_delivery import BACKOFF, Story, row, writer
from tests.client.delivery.test_sender import kill
from tests.client.gateway import Gateway, House, house
from tests.waiting import reached


class Answers:
    """What the server says of experiments: nothing, an error, or a number."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.silent: set[str] = set()

    async def create(self, request: ingest_pb2.CreateExperimentRequest) -> ingest_pb2.CreateExperimentResponse:
        self.asked.append(request.name)
        if request.name in self.silent:
            await asyncio.Event().wait()
        if request.name in self.errors:
            raise self.errors[request.name]
        return ingest_pb2.CreateExperimentResponse(experiment=experiment_pb2.Experiment(experiment_id=7))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    one = Answers()

    async def create(self: Gateway, request: Any, context: Context) -> ingest_pb2.CreateExperimentResponse:
        return await one.create(request)

    monkeypatch.setattr(Gateway, "CreateExperiment", create)
    return one


@pytest.fixture
def place(tmp_path: Path, answers: Answers) -> Iterator[House]:
    with house(tmp_path) as one:
        yield one


@pytest.fixture
def delivery(place: House) -> Iterator[Delivery]:
    one = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    yield one
    one.close()


def new(experiment: str) -> Writer:
    return Writer("default", new_random_id(), new_random_id(), None, experiment, event_pb2.RunStarted())


def experiments(place: House) -> dict[bytes, int]:
    return {
        frame.run_id: event.run_started.experiment_id
        for frame in place.frames()
        for event in frame.events
        if event.HasField("run_started")
    }


def test_a_name_that_gets_no_answer_holds_up_no_other_run(place: House, delivery: Delivery, answers: Answers) -> None:
    answers.silent.add("stuck")
    stuck, good, named = new("stuck"), writer(), new("named")
    for one in (stuck, good, named):
        delivery.add(one)
    for step in range(100):
        for one in (stuck, good, named):
            delivery.outbox.put(row(one, step))
    reached(lambda: Story(place).steps.get(good.writer_id) == list(range(100)))
    reached(lambda: Story(place).steps.get(named.writer_id) == list(range(100)))
    assert stuck.writer_id not in Story(place).steps
    # All of what was put is to be durable, so flush waits for the run that is held back.
    assert not delivery.flush(0.05)
    assert delivery.pending() == "100 points"
    answers.silent.clear()
    assert delivery.flush(60.0)
    assert Story(place).steps[stuck.writer_id] == list(range(100))
    assert experiments(place)[stuck.run_id] == 7


@pytest.mark.parametrize(
    "error", [Unavailable("NOT_NOW", "later"), RuntimeError("a bug of the server"), MemoryError("a shortage")]
)
def test_only_a_verdict_sends_a_run_to_default(
    place: House, delivery: Delivery, answers: Answers, error: Exception
) -> None:
    answers.errors = {"new": error, "bad": InvalidArgument("NAME_INVALID", "no such name")}
    one, bad = new("new"), new("bad")
    delivery.add(one)
    delivery.add(bad)
    reached(lambda: bad.run_id in experiments(place))
    reached(lambda: answers.asked.count("new") > 2)
    assert experiments(place) == {bad.run_id: 0}
    answers.errors.clear()
    assert delivery.flush(30.0)
    assert experiments(place) == {bad.run_id: 0, one.run_id: 7}


def test_a_thread_that_dies_while_it_asks_begins_again(place: House, answers: Answers) -> None:
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF, silence_seconds=0.2)
    answers.errors["new"] = Unavailable("NOT_NOW", "later")
    one = new("new")
    delivery.add(one)
    reached(lambda: delivery._experiments._thread is not None)
    thread = delivery._experiments._thread
    assert isinstance(thread, threading.Thread)
    kill(thread, SystemExit)
    reached(lambda: not thread.is_alive())
    answers.errors.clear()
    assert delivery.flush(30.0)
    assert experiments(place) == {one.run_id: 7}
    delivery.close()


def test_each_writer_keeps_its_order_whatever_is_held_back_when(
    place: House, delivery: Delivery, answers: Answers
) -> None:
    answers.errors["new"] = Unavailable("NOT_NOW", "later")
    one, other = new("new"), writer()
    delivery.add(one)
    delivery.add(other)
    for step in itertools.count():
        delivery.outbox.put(row(one, step))
        delivery.outbox.put(row(other, step))
        if step == 500:
            answers.errors.clear()
        if step > 500 and one.experiment_id is not None:
            break
    assert delivery.flush(30.0)
    assert Story(place).steps[one.writer_id] == Story(place).steps[other.writer_id] == list(range(step + 1))
