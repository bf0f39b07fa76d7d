"""The answer side of a delivery, without a wire: what becomes of frames by what is said of them."""

from __future__ import annotations

import threading

import pytest
from fleetlog._delivery.account import Account
from fleetlog._delivery.in_flight import InFlight
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.responses import NotNow, Responses
from fleetlog._delivery.stream_state import Change, State, StreamState
from fleetlog._delivery.verdicts import REFUSED_STREAMS, Said, Then, said_by, then
from fleetlog._events.framing import Framer
from fleetlog._events.items import Item, Marker, Row, Writer
from fleetlog_core.errors import FailedPrecondition, FleetlogError, InvalidArgument, ResourceExhausted
from fleetlog_core.serving.status import to_status
from fleetlog_proto.v1 import event_pb2, ingest_pb2, position_pb2


class Side:
    """One writer's frames in flight, and who hears of their answers."""

    def __init__(self, frames: int) -> None:
        self.warned: list[str] = []
        self.outbox = Outbox()
        self.account = Account(self.outbox, lambda kind, text: self.warned.append(text))
        self.in_flight = InFlight(threading.Condition())
        self.responses = Responses(self.in_flight, self.account, lambda position: self.positions.append(position))
        self.positions: list[position_pb2.Position] = []
        self.writer = Writer("default", b"r" * 16, b"w" * 16, None, "Default", event_pb2.RunStarted())
        self.markers = [Marker() for _ in range(frames)]
        for step, marker in enumerate(self.markers):
            items: list[Item] = [Row(self.writer, ("x",), [1.0], step, 1_000), marker]
            self.in_flight.extend(Framer().all_frames(items, self.account.not_framed))
        self.stream()

    def stream(self) -> None:
        """A new stream sends all, a frame a request."""
        self.in_flight.begin()
        while self.in_flight.next():
            pass

    @property
    def reached(self) -> list[bool]:
        return [marker.reached.is_set() for marker in self.markers]


def answer(sequence: int, error: FleetlogError | None = None) -> ingest_pb2.AppendEventsResponse:
    found = ingest_pb2.AppendEventsResponse(run_id=b"r" * 16, writer_id=b"w" * 16, durable_sequence=sequence)
    if error is not None:
        found.status.CopyFrom(to_status(error))
    return found


@pytest.fixture
def side() -> Side:
    return Side(3)


def test_every_verdict_ends_a_frame_at_last_and_nothing_else_does() -> None:
    for said in Said:
        last = [then(said, streams) for streams in range(2 * REFUSED_STREAMS)][-1]
        ends = Then.FORGET if said is Said.DURABLE else Then.SEND_AGAIN if said is Said.NOT_NOW else Then.SET_ASIDE
        assert last is ends, said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, Said.DURABLE),
        (InvalidArgument("BAD", "no"), Said.REFUSED),
        (FailedPrecondition("SEQUENCE_GAP", "no"), Said.GAP),
        (ResourceExhausted("TOO_MANY", "later", retry_after_seconds=1.0), Said.NOT_NOW),
        (FleetlogError("WHO_KNOWS", "an error that is not known"), Said.NOT_NOW),
    ],
)
def test_only_fleetlogs_own_words_without_a_time_to_come_back_are_a_verdict(
    error: FleetlogError | None, said: Said
) -> None:
    assert said_by(error) is said


def test_what_is_durable_is_forgotten_in_order(side: Side) -> None:
    side.responses.answered(answer(1))
    assert side.reached == [True, False, False]
    side.responses.answered(answer(2))
    side.responses.answered(answer(3))
    assert side.reached == [True, True, True]
    assert len(side.positions) == 3
    assert not side.in_flight


def test_an_answer_of_fewer_sequences_forgets_nothing_and_is_told_as_such(side: Side) -> None:
    with pytest.raises(NotNow, match="do not match what was sent"):
        side.responses.answered(answer(0))
    assert len(side.in_flight) == 3


def test_a_refused_frame_is_set_aside_and_the_next_ones_are_not(side: Side) -> None:
    side.responses.answered(answer(1, InvalidArgument("BAD", "no")))
    side.responses.answered(answer(2))
    assert (side.account.lost_points, side.reached) == (1, [True, True, False])
    (loss,) = side.outbox.take(10)
    assert (loss.reason, loss.lost_points) == ("BAD", 1)  # type: ignore[union-attr]


def test_streams_that_end_as_wrong_set_their_first_frame_aside_at_the_third_time(side: Side) -> None:
    for _ in range(REFUSED_STREAMS - 1):
        side.responses.stream_ended(InvalidArgument("BAD", "no"))
        side.stream()
        assert len(side.in_flight) == 3
    side.responses.stream_ended(InvalidArgument("BAD", "no"))
    assert side.reached == [True, False, False]


def test_streams_that_something_in_between_ends_set_nothing_aside(side: Side) -> None:
    error = InvalidArgument("BAD", "no")
    error.domain = ""
    for _ in range(5):
        side.responses.stream_ended(error)
        side.stream()
    assert len(side.in_flight) == 3


def test_a_gap_is_counted_once_and_the_frames_behind_it_are_sent_again(side: Side) -> None:
    gap = FailedPrecondition("SEQUENCE_GAP", "no", metadata={"expected_sequence": "-"})
    for _ in range(2):
        with pytest.raises(NotNow):
            side.responses.answered(answer(0, gap))
        side.stream()
    side.responses.answered(answer(1))
    losses = side.outbox.take(10)
    assert [loss.reason for loss in losses] == ["SEQUENCE_GAP"]  # type: ignore[union-attr]


def test_no_generation_sends_once_another_change_came() -> None:
    for change in Change:
        stream = StreamState()
        generation = stream.change(Change.BEGIN)
        stream.change(change)
        assert (stream.generation == generation) == (change is Change.RESUME)


def test_streams_begin_only_when_none_is_there_and_nothing_holds_them() -> None:
    stream = StreamState()
    changes = [Change.BEGIN, Change.PAUSE, Change.ENDED, Change.RESUME, Change.BEGIN, Change.ENDED]
    states = [State.STREAMING, State.ENDING, State.PAUSED, State.IDLE, State.STREAMING, State.IDLE]
    for change, state in zip(changes, states, strict=True):
        stream.change(change)
        assert (stream.state, stream.may_begin) == (state, state is State.IDLE)


def test_nothing_begins_once_it_is_closed() -> None:
    stream = StreamState()
    stream.change(Change.CLOSE)
    for change in Change:
        stream.change(change)
    assert (stream.closed, stream.may_begin) == (True, False)
