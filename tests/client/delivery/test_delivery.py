"""Whatever the server and the wire do: nothing lost that is not told, nothing twice, order kept, memory bounded."""

from __future__ import annotations

import random
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.stream_frames import BYTES_IN_FLIGHT, SMALL_FRAMES_IN_FLIGHT
from fleetlog._events.items import Fact, Row, Slice, Writer
from fleetlog._transport.connection import Connection
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import event_pb2, frame_pb2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.client.gateway import (
    ACK_LOST,
    DROPPED,
    FAULTS,
    NOT_NOW,
    REFUSED,
    SILENT,
    TOO_MANY,
    TOO_MANY_STREAMS,
    House,
    house,
)  # fmt: skip
from tests.profiles import examples

ROOM = 100_000
BACKOFF = (0.005, 0.05)
SILENCE = 2.0


def writer() -> Writer:
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_CREATE)
    return Writer("default", new_random_id(), new_random_id(), None, "Default", started, experiment_id=0)


def row(one: Writer, step: int) -> Row:
    return Row(one, ("x",), [float(step)], step, 1_000)


def points_of(frame: frame_pb2.Frame) -> int:
    return sum(len(event.metrics_logged.step_deltas) for event in frame.events)


class Story:
    """What the log says of each writer, after duplicates were recognised as the materializer does."""

    def __init__(self, place: House) -> None:
        self.steps: dict[bytes, list[int]] = {}
        self.told: Counter[bytes] = Counter()
        self.refused_events: Counter[str] = Counter()
        seen: dict[tuple[bytes, int], bytes] = {}
        last: dict[bytes, int] = {}
        for frame in place.frames():
            for event in frame.events:
                name = (frame.writer_id, event.sequence)
                content = event.SerializeToString(deterministic=True)
                if name in seen:
                    assert seen[name] == content, "a sequence was given to two events"
                    continue
                seen[name] = content
                assert event.sequence > last.get(frame.writer_id, 0), "the order of a writer was lost"
                last[frame.writer_id] = event.sequence
                steps = self.steps.setdefault(frame.writer_id, [])
                steps += accumulate(event.metrics_logged.step_deltas)
                self.told[frame.writer_id] += event.loss_reported.points
                self.refused_events[event.event_refused.reason] += event.HasField("event_refused")


class Wire(RuleBasedStateMachine):
    """Two writers of one process, a small outbox, and a server that does everything wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.house = House(Path(self.folder.name))
        self.house.start()
        self.connection = Connection(self.house.target)
        self.delivery = self.new_delivery()
        self.writers = [writer(), writer()]
        self.put: dict[bytes, list[int]] = {one.writer_id: [] for one in self.writers}
        self.not_taken: Counter[bytes] = Counter()
        self.invalid = 0
        self.step = 0
        for one in self.writers:
            self.delivery.add(one)

    def new_delivery(self) -> Delivery:
        return Delivery(self.connection, Outbox(ROOM), BACKOFF, SILENCE)

    @rule(number=st.integers(0, 1), count=st.sampled_from([1, 2, 50, 1_000]))
    def log(self, number: int, count: int) -> None:
        one = self.writers[number]
        for _ in range(count):
            self.step += 1
            if self.delivery.outbox.put(row(one, self.step)):
                self.put[one.writer_id].append(self.step)
            else:
                self.not_taken[one.writer_id] += 1

    @rule(number=st.integers(0, 1))
    def log_what_the_gateway_refuses(self, number: int) -> None:
        tags = event_pb2.TagsSet(tags={"k" * 300: "v"})
        self.invalid += self.delivery.outbox.put(Fact(self.writers[number], event_pb2.Event(tags_set=tags)))

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 4))
    def misbehave(self, fault: str, times: int) -> None:
        self.house.faults.extend([fault] * times)

    @precondition(lambda self: self.house.up)
    @rule()
    def stop(self) -> None:
        self.house.stop()

    @precondition(lambda self: not self.house.up)
    @rule()
    def start(self) -> None:
        self.house.start()

    @precondition(lambda self: self.house.up)
    @rule()
    def flush(self) -> None:
        assert self.delivery.flush(30.0), self.delivery.pending()

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.delivery.outbox._weight <= 2 * ROOM + 1_000
        assert len(self.delivery._in_flight) <= 2 * SMALL_FRAMES_IN_FLIGHT
        assert self.delivery._in_flight.size <= 2 * BYTES_IN_FLIGHT

    def teardown(self) -> None:
        try:
            self.house.faults.clear()
            self.house.start()
            assert self.delivery.flush(30.0), self.delivery.pending()
            # What a refused frame held is told after it, in a frame of its own.
            assert self.delivery.flush(30.0), self.delivery.pending()
            self.delivery.close()
            assert self.delivery.pending() == ""
            self.check(Story(self.house))
        finally:
            self.delivery.close()
            self.connection.close()
            self.house.close()
            self.folder.cleanup()

    def check(self, story: Story) -> None:
        refused_frames = {(f.writer_id, f.events[0].sequence): f for f in self.house.refused}.values()
        for one in self.writers:
            refused: list[int] = []
            untold = 0
            for frame in refused_frames:
                if frame.writer_id != one.writer_id:
                    continue
                for event in frame.events:
                    refused += accumulate(event.metrics_logged.step_deltas)
                if {event.WhichOneof("payload") for event in frame.events} == {"loss_reported"}:
                    untold += sum(event.loss_reported.points for event in frame.events)
            delivered = set(refused)
            assert story.steps.get(one.writer_id, []) == [s for s in self.put[one.writer_id] if s not in delivered]
            assert story.told[one.writer_id] == self.not_taken[one.writer_id] + len(refused) - untold
        lost = sum(len(f.events) for f in refused_frames)
        assert self.invalid - lost <= sum(story.refused_events.values()) - story.refused_events[""] <= self.invalid


TestWire = Wire.TestCase
TestWire.settings = settings(max_examples=examples(20), stateful_step_count=15)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as one:
        yield one


@pytest.mark.parametrize("fault", [NOT_NOW, TOO_MANY, TOO_MANY_STREAMS, ACK_LOST, DROPPED])
def test_what_was_not_answered_is_sent_again_in_order(place: House, fault: str) -> None:
    place.faults.extend([fault] * 3)
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    one = writer()
    delivery.add(one)
    for step in range(5_000):
        delivery.outbox.put(row(one, step))
    assert delivery.flush(30.0)
    delivery.close()
    assert not place.faults
    assert Story(place).steps[one.writer_id] == list(range(5_000))


@pytest.mark.parametrize("fault", [None, NOT_NOW, ACK_LOST, DROPPED, REFUSED])
def test_small_runs_go_together_and_each_frame_has_its_own_fate(place: House, fault: str | None) -> None:
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    # The answer to this one says how many may go together.
    delivery.add(writer())
    assert delivery.flush(30.0)
    if fault is not None:
        place.faults.extend([fault] * 3)
    many = [writer() for _ in range(500)]
    for one in many:
        delivery.add(one)
        delivery.outbox.put(row(one, 7))
    assert delivery.flush(30.0)
    assert delivery.flush(30.0)
    delivery.close()
    assert not place.faults
    refused = {frame.writer_id for frame in place.refused}
    steps = Story(place).steps
    assert [one for one in many if steps.get(one.writer_id, []) != ([] if one.writer_id in refused else [7])] == []
    assert len(refused) == (3 if fault == REFUSED else 0)


def test_a_server_that_refuses_several_at_once_has_them_one_by_one(place: House) -> None:
    place.stop()
    place.most_frames = 1
    place.start()
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    delivery.add(writer())
    assert delivery.flush(30.0)
    many = [writer() for _ in range(200)]
    for one in many:
        delivery.add(one)
        delivery.outbox.put(row(one, 7))
    assert delivery.flush(30.0)
    delivery.close()
    steps = Story(place).steps
    assert all(steps[one.writer_id] == [7] for one in many)


def test_the_random_numbers_of_a_training_stay_the_same(place: House) -> None:
    before = random.getstate()
    place.faults.extend([NOT_NOW] * 5)
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    delivery.add(writer())
    assert delivery.flush(30.0)
    delivery.close()
    assert not place.faults
    assert random.getstate() == before


def test_a_server_that_goes_silent_is_dialled_anew(place: House) -> None:
    place.faults.append(SILENT)
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF, silence_seconds=0.2)
    one = writer()
    delivery.add(one)
    for step in range(100):
        delivery.outbox.put(row(one, step))
    assert delivery.flush(30.0)
    delivery.close()
    assert Story(place).steps[one.writer_id] == list(range(100))


def test_a_refused_frame_is_set_aside_and_the_run_is_told(place: House) -> None:
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    one = writer()
    delivery.add(one)
    assert delivery.flush(30.0)
    place.faults.append(REFUSED)
    delivery.outbox.put(Slice(one, "x", list(range(7)), [0.0] * 7, None, 1_000))
    assert delivery.flush(30.0)
    delivery.outbox.put(row(one, 100))
    assert delivery.flush(30.0)
    delivery.close()
    story = Story(place)
    assert story.steps[one.writer_id] == [100]
    assert story.told[one.writer_id] == 7
    assert delivery.account.lost_points == 7


def test_a_full_buffer_is_told_to_the_run(place: House) -> None:
    place.stop()
    delivery = Delivery(Connection(place.target), Outbox(ROOM), BACKOFF)
    one = writer()
    delivery.add(one)
    kept = [step for step in range(10_000) if delivery.outbox.put(row(one, step))]
    assert 0 < len(kept) < 10_000
    place.start()
    assert delivery.flush(30.0)
    delivery.close()
    story = Story(place)
    assert story.steps[one.writer_id] == kept
    assert story.told[one.writer_id] == 10_000 - len(kept)


def test_bulk_beyond_the_buffer_waits_and_loses_nothing(place: House) -> None:
    delivery = Delivery(Connection(place.target), Outbox(ROOM), BACKOFF)
    one = writer()
    delivery.add(one)
    for first in range(0, 200_000, 1_000):
        steps = list(range(first, first + 1_000))
        assert delivery.outbox.put(Slice(one, "x", steps, [0.0] * 1_000, None, 1_000), 60.0)
    assert delivery.flush(60.0)
    delivery.close()
    assert Story(place).steps[one.writer_id] == list(range(200_000))


def test_a_server_that_restarts_while_it_is_dialled_is_found(place: House) -> None:
    for _ in range(20):
        delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
        delivery.add(writer())
        place.stop()
        place.start()
        assert delivery.flush(30.0), delivery.pending()
        delivery.close()


def test_flush_says_what_is_pending_and_close_returns_while_the_server_is_away(place: House) -> None:
    place.stop()
    others = set(threading.enumerate())
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    one = writer()
    delivery.add(one)
    for step in range(10):
        delivery.outbox.put(row(one, step))
    assert not delivery.flush(0.1)
    assert "points" in delivery.pending()
    delivery.close()
    left = set(threading.enumerate()) - others
    assert not [thread for thread in left if thread.name == "fleetlog-delivery"]


def test_what_is_delivered_needs_no_server_any_more(place: House) -> None:
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF)
    one = writer()
    delivery.add(one)
    delivery.outbox.put(row(one, 1))
    assert delivery.flush(30.0)
    place.stop()
    assert delivery.flush(0.0)
    delivery.close()
