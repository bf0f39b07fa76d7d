"""The threads of a delivery may die of anything, at any time: they begin again, and what is lost is told."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.outbox import Outbox
from fleetlog._events.items import Fact, Row, Writer
from fleetlog._transport.connection import Connection
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import event_pb2

from tests.client.delivery.test_delivery import BACKOFF, Story, row, writer
from tests.client.gateway import House, house
from tests.core.proxy import Proxy
from tests.faults.sizes import sized
from tests.waiting import reached


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as one:
        yield one


@pytest.fixture
def delivery(place: House) -> Iterator[Delivery]:
    one = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    yield one
    one.close()


def kill(thread: threading.Thread, error: type[BaseException]) -> None:
    """Raise the error in the thread, wherever it is."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error))


@pytest.mark.parametrize("error", [SystemExit, MemoryError, RecursionError, KeyboardInterrupt])
def test_a_sender_that_dies_begins_again_at_the_next_put(
    place: House, delivery: Delivery, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    one = writer()
    delivery.add(one)
    assert delivery.flush(30.0)
    for step in range(3):
        before = delivery._threads._deliverer
        assert before is not None
        generation = delivery._stream.generation
        kill(before, error)
        # What it waits for has to come before it hears of it.
        delivery.outbox.put(row(one, 2 * step))
        reached(lambda: not before.is_alive() or delivery._stream.generation > generation)  # noqa: B023
        delivery.outbox.put(row(one, 2 * step + 1))
        assert delivery.flush(30.0)
    assert Story(place).steps[one.writer_id] == list(range(6))
    assert sum(error.__name__ in record.message for record in caplog.records) <= 1


def test_a_watch_that_dies_begins_again(place: House) -> None:
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF, silence_seconds=0.2)
    delivery.add(writer())
    before = delivery._threads._watcher
    assert before is not None
    kill(before, SystemExit)
    reached(lambda: not before.is_alive())
    assert delivery.flush(30.0)
    assert delivery._threads._watcher is not before
    delivery.close()


@pytest.mark.parametrize("error", [MemoryError, RecursionError, SystemExit])
def test_what_was_taken_when_framing_fails_is_framed_again(
    place: House, delivery: Delivery, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = writer(), writer()
    frames = delivery.spool.framer.frames
    failures = iter([error] * 3)

    def failing(items: Any) -> Any:
        """Some frames, then the error: the sequences of what was made were given out."""
        for made in frames(items):
            yield made
            if (kind := next(failures, None)) is not None:
                raise kind

    monkeypatch.setattr(delivery.spool.framer, "frames", failing)
    delivery.add(one)
    delivery.add(other)
    for step in range(100):
        delivery.outbox.put(row(one, step))
        delivery.outbox.put(row(other, step))
    assert delivery.flush(30.0)
    story = Story(place)
    assert story.steps[one.writer_id] == story.steps[other.writer_id] == list(range(100))
    assert delivery.account.lost_points == 0


def test_a_writer_that_no_frame_can_be_made_of_holds_up_no_other(
    place: House, delivery: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = writer(), writer()
    bad.rank = "3"  # type: ignore[assignment]
    for one in (bad, good):
        delivery.add(one)
    for step in range(10):
        delivery.outbox.put(row(bad, step))
        delivery.outbox.put(row(good, step))
    assert delivery.flush(30.0)
    assert delivery.pending() == ""
    story = Story(place)
    assert story.steps[good.writer_id] == list(range(10))
    assert bad.writer_id not in story.steps
    assert delivery.account.lost_points == 10
    assert f"run {bad.run_id.hex()}: nothing of it can be encoded" in caplog.text


def test_an_item_that_cannot_be_encoded_costs_itself_and_its_run_is_told(place: House, delivery: Delivery) -> None:
    one = writer()
    delivery.add(one)
    delivery.outbox.put(row(one, 1))
    delivery.outbox.put(Row(one, ("x",), [object()], 2, 1_000))  # type: ignore[list-item]
    delivery.outbox.put(row(one, 3))
    assert delivery.flush(30.0)
    story = Story(place)
    assert story.steps[one.writer_id] == [1, 3]
    assert story.told[one.writer_id] == 1


def test_without_threads_to_start_it_begins_with_the_next_put(
    place: House, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    one = Writer("default", new_random_id(), new_random_id(), None, "Default", event_pb2.RunStarted(), experiment_id=0)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        delivery.add(one)
        delivery.outbox.put(row(one, 0))
    assert "no thread can be started" in caplog.text
    delivery.outbox.put(Fact(one, event_pb2.Event(tags_set=event_pb2.TagsSet(tags={"a": "b"}))))
    assert delivery.flush(30.0)
    assert Story(place).steps[one.writer_id] == [0]


def test_where_the_exit_starts_no_threads_the_first_put_waits_for_its_stream(
    place: House, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that logs and ends at once: gRPC makes threads of a stream, for which it is too late then."""
    monkeypatch.setattr("fleetlog._delivery.threads.THREADS_AT_EXIT", False)
    monkeypatch.setattr("fleetlog._delivery.streams.BEGIN_SECONDS", 60.0)
    delivery.add(writer())
    assert delivery._streams._call is not None


def test_over_a_slow_link_what_waits_is_bounded_and_what_finds_no_room_is_told(place: House) -> None:
    seconds, bytes_per_second = sized(3, 60), 32_000
    with Proxy("127.0.0.1", place.port) as link:
        link.bytes_per_second = bytes_per_second
        outbox = Outbox(max_bytes=200_000)
        delivery = Delivery(Connection(f"127.0.0.1:{link.port}"), outbox, backoff_seconds=BACKOFF)
        one = writer()
        delivery.add(one)
        # Ten times what the link takes: a point has 10 bytes or so on the wire, and more in memory.
        taken, step, deadline = 0, 0, time.monotonic() + seconds
        pace = threading.Event()
        while time.monotonic() < deadline:
            for _ in range(bytes_per_second // 10):
                taken += outbox.put(row(one, step))
                step += 1
            assert outbox._weight < 400_000
            pace.wait(0.1)
        assert delivery._in_flight.size < 20_000_000
        link.bytes_per_second = None
        assert delivery.flush(120.0)
        delivery.close()
    story = Story(place)
    assert len(story.steps[one.writer_id]) == taken
    assert story.steps[one.writer_id] == sorted(set(story.steps[one.writer_id]))
    lost = [
        event.loss_reported for frame in place.frames() for event in frame.events if event.HasField("loss_reported")
    ]
    assert sum(one.points for one in lost) == step - taken
    assert {one.reason for one in lost} <= {"BUFFER_FULL"}
