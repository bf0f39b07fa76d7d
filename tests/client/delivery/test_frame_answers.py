"""Answers: only fleetlog's own speak of a frame, and only of the one that they name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from fleetlog._delivery.delivery import Delivery
from fleetlog._transport.connection import Connection
from fleetlog_core.errors import FailedPrecondition, FleetlogError
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.status import to_status
from fleetlog_proto.v1 import ingest_pb2
from google.rpc import status_pb2

from tests.client.delivery.test_delivery import BACKOFF, Story, row, writer
from tests.client.gateway import Gateway, House, house

Answer = ingest_pb2.AppendEventsResponse
Alter = Callable[[Answer], None]
CODES = {
    "INVALID_ARGUMENT": 3, "NOT_FOUND": 5, "PERMISSION_DENIED": 7, "RESOURCE_EXHAUSTED": 8, "FAILED_PRECONDITION": 9,
    "OUT_OF_RANGE": 11, "UNIMPLEMENTED": 12, "INTERNAL": 13, "UNAUTHENTICATED": 16,
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as one:
        yield one


def serve(place: House, monkeypatch: pytest.MonkeyPatch, append: Any) -> None:
    """Handlers are bound when a server starts."""
    place.stop()
    monkeypatch.setattr(Gateway, "AppendEvents", append)
    place.start()


def altered(place: House, monkeypatch: pytest.MonkeyPatch, alter: Alter, times: int = 3) -> list[int]:
    """Something in between changes the first answers; how many it changed."""
    answer = Gateway.AppendEvents
    changed: list[int] = []

    async def append(self: Gateway, requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Answer]:
        async for response in answer(self, requests, context):
            if len(changed) < times:
                changed.append(1)
                alter(response)
            yield response

    serve(place, monkeypatch, append)
    return changed


def deliver(place: House, caplog: pytest.LogCaptureFixture) -> tuple[list[int], Delivery]:
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    one = writer()
    delivery.add(one)
    for step in range(100):
        delivery.outbox.put(row(one, step))
    assert delivery.flush(30.0), caplog.text
    delivery.close()
    return Story(place).steps[one.writer_id], delivery


@pytest.mark.parametrize("code", CODES)
def test_a_status_that_is_not_fleetlogs_sets_no_frame_aside(
    place: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    changed = altered(place, monkeypatch, lambda answer: answer.status.CopyFrom(status_pb2.Status(code=CODES[code])))
    steps, delivery = deliver(place, caplog)
    assert len(changed) == 3
    assert steps == list(range(100))
    assert (delivery.account.lost_points, delivery.account.refused_events) == (0, 0)
    assert sum("trying again" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("code", CODES)
def test_a_stream_that_something_in_between_ends_sets_no_frame_aside(
    place: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    answer = Gateway.AppendEvents
    ended: list[int] = []

    async def append(self: Gateway, requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Answer]:
        async for response in answer(self, requests, context):
            if len(ended) < 5:
                ended.append(1)
                await context.abort(grpc.StatusCode[code], "said by a proxy")
            yield response

    serve(place, monkeypatch, append)
    steps, delivery = deliver(place, caplog)
    assert len(ended) == 5
    assert steps == list(range(100))
    assert (delivery.account.lost_points, delivery.account.refused_events) == (0, 0)


@pytest.mark.parametrize(
    "alter",
    [
        lambda answer: setattr(answer, "run_id", b"r" * 16),
        lambda answer: setattr(answer, "writer_id", b"w" * 16),
        lambda answer: setattr(answer, "durable_sequence", 0),
        lambda answer: answer.ClearField("run_id"),
        lambda answer: answer.more_responses.add(),
    ],
    ids=["another run", "another writer", "fewer sequences", "no run", "more answers than frames"],
)
def test_an_answer_of_something_else_forgets_no_frame(
    place: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, alter: Alter
) -> None:
    altered(place, monkeypatch, alter)
    steps, delivery = deliver(place, caplog)
    assert steps == list(range(100))
    assert delivery.account.lost_points == 0
    assert "do not match what was sent" in caplog.text


class OutOfRange(FleetlogError):
    code = "OUT_OF_RANGE"


def test_a_gap_that_the_server_names_is_counted_and_the_rest_is_sent_again(
    place: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    one = writer()
    delivery.add(one)
    assert delivery.flush(30.0)
    gap = to_status(OutOfRange("SEQUENCE_GAP", "4 comes after 1", metadata={"expected_sequence": "2"}))
    altered(place, monkeypatch, lambda answer: answer.status.CopyFrom(gap), times=1)
    one.next_sequence = 4
    delivery.outbox.put(row(one, 7))
    assert delivery.flush(30.0)
    assert delivery.flush(30.0)
    delivery.close()
    assert Story(place).steps[one.writer_id] == [7]
    losses = [e.loss_reported for f in place.frames() for e in f.events if e.HasField("loss_reported")]
    assert [(loss.reason, loss.events) for loss in losses] == [("SEQUENCE_GAP", 2)]


def test_a_sequence_that_stood_for_something_else_is_told(
    place: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    used = to_status(FailedPrecondition("SEQUENCE_REUSED", "1 was another event of this writer before"))
    altered(place, monkeypatch, lambda answer: answer.status.CopyFrom(used), times=1)
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    delivery.add(writer())
    assert delivery.flush(30.0)
    delivery.close()
    assert "1 was another event of this writer before" in caplog.text
    assert delivery.account.refused_events == 1
