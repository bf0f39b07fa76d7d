"""Frames without an answer: in order, sent again by every new stream, and who waits for them."""

from __future__ import annotations

import threading

from fleetlog._delivery.in_flight import InFlight
from fleetlog._delivery.sent import Sent, request_of
from fleetlog._delivery.stream_frames import REQUEST_BYTES
from fleetlog._events.items import Marker, Writer
from fleetlog_proto.v1 import event_pb2, frame_pb2

WRITER = Writer("default", bytes(16), bytes(16), None, "one", event_pb2.RunStarted())


def frame(sequence: int) -> frame_pb2.Frame:
    """Two steps of two metrics."""
    metrics = event_pb2.MetricsLogged(
        step_deltas=[0, 1],
        time_deltas_millis=[0, 1],
        columns=[event_pb2.MetricColumn(key=key, values=[1.0, 2.0]) for key in "xy"],
    )
    return frame_pb2.Frame(events=[event_pb2.Event(sequence=sequence, metrics_logged=metrics)])


def sent(frames: InFlight) -> list[int]:
    """The sequences of what a stream sends until it has sent all."""
    found = []
    while request := frames.next():
        assert len(request) == 1
        found.append(request[0].frame.events[0].sequence)
    return found


def test_a_new_stream_sends_again_what_has_no_answer_and_in_order() -> None:
    frames = InFlight(threading.Condition())
    for sequence in (1, 2, 3):
        frames.extend([(WRITER, frame(sequence))])
    assert frames.points == 12
    assert sent(frames) == [1, 2, 3]
    frames.answered()
    frames.extend([(WRITER, frame(4))])
    assert sent(frames) == [4]
    frames.begin()
    assert sent(frames) == [2, 3, 4]
    assert (len(frames), frames.points) == (3, 12)


def test_the_one_whose_answer_is_next_was_sent() -> None:
    frames = InFlight(threading.Condition())
    frames.extend([(WRITER, frame(1))])
    assert frames.first_sent() is None
    assert frames.silent_seconds() == 0
    assert frames.next() == [frames.first_sent()]
    assert frames.silent_seconds() >= 0
    frames.answered()
    assert frames.first_sent() is None
    assert frames.silent_seconds() == 0


def test_several_go_together_once_the_stream_allows_it_and_a_new_stream_asks_anew() -> None:
    frames = InFlight(threading.Condition())
    for sequence in range(1, 7):
        frames.extend([(WRITER, frame(sequence))])
    assert [len(frames.next()), len(frames.next())] == [1, 1]
    frames.allow(3)
    assert [one.frame.events[0].sequence for one in frames.next()] == [3, 4, 5]
    assert [one.frame.events[0].sequence for one in frames.next()] == [6]
    assert [frames.next_answer() for _ in range(4)] == [1, 1, 3, 1]
    frames.begin()
    assert [one.frame.events[0].sequence for one in frames.next()] == [1]


def test_requests_of_several_frames_stay_small_and_a_large_frame_goes_alone() -> None:
    frames = InFlight(threading.Condition())
    for sequence in (1, 2, 3, 4):
        frames.extend([(WRITER, frame(sequence))])
    small = frames.size // 4
    large = frame(5)
    large.events[0].metrics_logged.columns[0].key = "k" * (REQUEST_BYTES - small)
    frames.extend([(WRITER, large)])
    frames.extend([(WRITER, frame(6))])
    frames.allow(100)
    sizes = []
    while request := frames.next():
        sizes.append([one.frame.events[0].sequence for one in request])
    assert sizes == [[1, 2, 3, 4], [5], [6]]
    assert [one.events[0].sequence for one in (request_of(frames_of(frames)).more_frames)] == [2, 3, 4]
    for _ in range(6):
        frames.answered()
    assert frames.size == 0


def frames_of(frames: InFlight) -> list[Sent]:
    """The first request of a new stream that is allowed four."""
    frames.begin()
    frames.allow(4)
    return frames.next()


def test_a_marker_waits_for_what_is_there_and_for_nothing_more() -> None:
    frames = InFlight(threading.Condition())
    at_once, later = Marker(), Marker()
    frames.extend([at_once])
    assert at_once.reached.is_set()
    frames.extend([(WRITER, frame(1))])
    frames.extend([later])
    frames.extend([(WRITER, frame(2))])
    frames.next()
    assert not later.reached.is_set()
    frames.answered()
    frames.reach()
    assert later.reached.is_set()
    assert len(frames) == 1


def made_by(writer: Writer, sequence: int) -> tuple[Writer, frame_pb2.Frame]:
    """A frame of a writer, with its start."""
    event = event_pb2.Event(sequence=sequence, run_started=event_pb2.RunStarted())
    return writer, frame_pb2.Frame(run_id=writer.run_id, writer_id=writer.writer_id, events=[event])


def other_writer() -> Writer:
    return Writer("default", b"r" * 16, b"w" * 16, None, "new", event_pb2.RunStarted())


def test_what_is_held_is_passed_by_others_and_sent_with_its_number_once_there_is_one() -> None:
    frames, held, marker = InFlight(threading.Condition()), other_writer(), Marker()
    frames.hold(held)
    lacking = frozenset([held])
    frames.extend([made_by(held, 1), made_by(held, 2), marker, made_by(WRITER, 7)], lacking=lacking)
    assert sent(frames) == [7]
    frames.answered()
    frames.reach()
    assert not marker.reached.is_set()
    held.experiment_id = 9
    frames.release(held)
    found = [frames.next()[0].frame.events[0] for _ in range(2)]
    assert [(one.sequence, one.run_started.experiment_id) for one in found] == [(1, 9), (2, 9)]
    frames.answered()
    frames.answered()
    frames.reach()
    assert marker.reached.is_set()
    assert frames.low == frames.next_serial


def test_frames_that_were_framed_before_their_number_came_get_it_too() -> None:
    frames, late = InFlight(threading.Condition()), other_writer()
    late.experiment_id = 9
    frames.extend([made_by(late, 1)], lacking=frozenset([late]))
    assert frames.next()[0].frame.events[0].run_started.experiment_id == 9


def test_with_enough_to_send_no_more_is_wanted_until_answers_come() -> None:
    frames = InFlight(threading.Condition())
    wanted = [frames.wants_more]
    frames.extend([(WRITER, frame(1))])
    wanted.append(frames.wants_more)
    frames.next()
    wanted.append(frames.wants_more)
    assert wanted == [True, False, True]
