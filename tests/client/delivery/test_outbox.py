"""The outbox: a queue that never grows past its room, and never loses silently."""

from __future__ import annotations

import threading

import pytest
from fleetlog._delivery.outbox import Outbox
from fleetlog._events.items import Fact, Item, Loss, Marker, Row, Slice, Writer
from fleetlog_proto.v1 import event_pb2
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

ROOM = 5_000


def take(outbox: Outbox, points: int) -> list[Item]:
    """Take items for good."""
    taken = outbox.take(points)
    outbox.settle()
    return taken


WRITERS = [Writer("default", bytes([n]) * 16, bytes([n]) * 16, None, "e", event_pb2.RunStarted()) for n in range(2)]


def row(writer: Writer, step: int, columns: int = 1) -> Row:
    return Row(writer, tuple(f"m{n}" for n in range(columns)), [0.0] * columns, step, 0)


class Queue(RuleBasedStateMachine):
    """What was put is taken in order, or told as lost; and the room is never exceeded by more than one item."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(ROOM)
        self.step = 0
        self.taken: list[Item] = []
        self.kept: dict[int, list[int]] = {0: [], 1: []}
        self.refused = {0: 0, 1: 0}
        self.before: dict[Marker, set[int]] = {}

    @rule(number=st.integers(0, 1), columns=st.integers(1, 40), times=st.integers(1, 8))
    def put(self, number: int, columns: int, times: int) -> None:
        for _ in range(times):
            self.step += 1
            if self.outbox.put(row(WRITERS[number], self.step, columns)):
                self.kept[number].append(self.step)
            else:
                assert self.outbox.full
                self.refused[number] += columns

    @rule()
    def mark(self) -> None:
        marker = Marker()
        assert self.outbox.put(marker)
        self.before[marker] = {step for steps in self.kept.values() for step in steps}

    @rule(points=st.integers(1, 200))
    def take(self, points: int) -> None:
        self.taken += take(self.outbox, points)

    @invariant()
    def room_is_kept(self) -> None:
        everything = list(self.outbox._items)
        waiting = [item for item in everything if isinstance(item, Row)]
        assert sum(item.weight for item in waiting) <= ROOM + 220 + 32 * 40
        assert self.outbox.points == sum(item.points for item in waiting)
        assert sum(isinstance(item, Loss) for item in everything) <= len(WRITERS)

    def teardown(self) -> None:
        while not self.outbox.empty:
            self.taken += take(self.outbox, 100)
        seen: set[int] = set()
        for item in self.taken:
            if isinstance(item, Row):
                seen.add(item.step)
            elif isinstance(item, Marker):
                assert self.before.pop(item) <= seen
        assert not self.before
        for number, writer in enumerate(WRITERS):
            rows = [item.step for item in self.taken if isinstance(item, Row) and item.writer is writer]
            assert rows == self.kept[number]
            lost = [item for item in self.taken if isinstance(item, Loss) and item.writer is writer]
            assert sum(item.lost_points for item in lost) == self.refused[number]
            assert {item.reason for item in lost} <= {"BUFFER_FULL"}


TestQueue = Queue.TestCase


def test_the_life_cycle_fits_when_points_do_not_and_is_bounded_too() -> None:
    outbox = Outbox(ROOM)
    while outbox.put(row(WRITERS[0], 0)):
        pass
    finished = event_pb2.Event(run_finished=event_pb2.RunFinished(state=event_pb2.RUN_STATE_FINISHED))
    assert outbox.put(Fact(WRITERS[0], finished))
    for _ in range(100):
        outbox.put(Fact(WRITERS[0], finished))
    taken = take(outbox, 1_000_000)
    (loss,) = [item for item in taken if isinstance(item, Loss)]
    assert loss.lost_points == 1
    assert loss.lost_events == 101 - sum(isinstance(item, Fact) for item in taken) > 0


def test_bulk_waits_for_room_and_loses_nothing() -> None:
    outbox = Outbox(ROOM, stall_seconds=30.0)
    pieces = [Slice(WRITERS[0], "x", [n] * 100, [0.0] * 100, None, 0) for n in range(50)]
    outcome: list[bool] = []
    producer = threading.Thread(target=lambda: outcome.extend(outbox.put(piece, 60.0) for piece in pieces))
    producer.start()
    taken: list[Item] = []
    while len(taken) < len(pieces):
        outbox.wait(5.0)
        taken += take(outbox, 100)
    producer.join()
    assert all(outcome)
    assert taken == pieces


def test_waiting_is_over_when_nothing_leaves_and_begins_again_when_something_does() -> None:
    outbox = Outbox(ROOM, stall_seconds=0.05)
    while not outbox.full:
        outbox.put(row(WRITERS[0], 0))
    assert not outbox.put(row(WRITERS[0], 1), 60.0)
    # The server is away, which is known by now: the next one does not wait at all.
    outbox._stall_seconds = 3600.0
    assert not outbox.put(row(WRITERS[0], 2), 3600.0)
    take(outbox, 1)
    assert outbox.put(row(WRITERS[0], 3), 3600.0)


@pytest.mark.parametrize("wait_seconds", [0.0, -1.0])
def test_a_step_never_waits(wait_seconds: float) -> None:
    outbox = Outbox(ROOM, stall_seconds=3600.0)
    while not outbox.full:
        outbox.put(row(WRITERS[0], 0))
    assert not outbox.put(row(WRITERS[0], 1), wait_seconds)
