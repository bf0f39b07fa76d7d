from __future__ import annotations

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.rules.frames import check_frame
from fleetlog_proto.v1 import event_pb2, frame_pb2
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.refusals import reason_of, refused

RUN, WRITER = bytes(16), bytes(range(16))


def frame(*sequences: int, run: bytes = RUN, writer: bytes = WRITER, rank: int | None = None) -> frame_pb2.Frame:
    """A frame of events that hold nothing but their sequences; the first opens the run when it is number 1."""
    events = [event_pb2.Event(sequence=sequence) for sequence in sequences]
    if sequences and sequences[0] == 1:
        events[0].run_started.SetInParent()
    return frame_pb2.Frame(run_id=run, writer_id=writer, rank=rank, events=events)


@pytest.mark.parametrize(
    "whole",
    [frame(1), frame(1, 2, 3), frame(7, 8), frame(1, rank=0), frame((1 << 64) - 1), frame(2, rank=(1 << 31) - 1)],
)
def test_frames_are_taken(whole: frame_pb2.Frame) -> None:
    check_frame(whole)


@pytest.mark.parametrize(
    ("wrong", "reason", "field", "told"),
    [
        (frame(1, run=b""), "INVALID_ID", "frame.run_id", "0 bytes; send the 16"),
        (frame(1, run=b"../../etc"), "INVALID_ID", "frame.run_id", "9 bytes"),
        (frame(1, run=bytes(10_240)), "INVALID_ID", "frame.run_id", "10,240 bytes"),
        (frame(1, writer=bytes(15)), "INVALID_ID", "frame.writer_id", "15 bytes"),
        (frame(1, writer=bytes(17)), "INVALID_ID", "frame.writer_id", "17 bytes"),
        (frame(1, rank=-1), "RANK_INVALID", "frame.rank", "-1 is below 0"),
        (frame(), "FRAME_EMPTY", "frame.events", "at least one"),
        (frame(0), "SEQUENCE_INVALID", "frame.events[0].sequence", "0 is below 1"),
        (frame(1, 3), "SEQUENCE_INVALID", "frame.events[1].sequence", "3 does not follow 1"),
        (frame(5, 5), "SEQUENCE_INVALID", "frame.events[1].sequence", "5 does not follow 5"),
        (frame(5, 6, 4), "SEQUENCE_INVALID", "frame.events[2].sequence", "4 does not follow 6"),
        (frame((1 << 64) - 1, 0), "SEQUENCE_INVALID", "frame.events[1].sequence", "0 does not follow"),
    ],
)
def test_frames_are_refused(wrong: frame_pb2.Frame, reason: str, field: str, told: str) -> None:
    refused(lambda: check_frame(wrong), reason, field, told)


def test_a_frame_has_a_bounded_number_of_events() -> None:
    check_frame(frame(*range(2, limits.EVENTS_PER_FRAME + 2)))
    refused(
        lambda: check_frame(frame(*range(2, limits.EVENTS_PER_FRAME + 3))),
        "OVER_LIMIT", "frame.events", "10,001 events", "at most 10,000", "several frames",
    )  # fmt: skip


def test_a_writer_opens_the_run_first() -> None:
    with pytest.raises(FailedPrecondition, match="the first event of a writer is run_started; send it") as caught:
        check_frame(frame_pb2.Frame(run_id=RUN, writer_id=WRITER, events=[event_pb2.Event(sequence=1)]))
    assert caught.value.reason == "RUN_NOT_STARTED"
    assert [violation.field for violation in caught.value.violations] == ["frame.events[0]"]


@given(
    st.binary(min_size=14, max_size=17) | st.just(RUN),
    st.none() | st.integers(-3, 3),
    st.lists(st.integers(0, 4), max_size=4) | st.integers(1, 9).map(lambda n: list(range(n, n + 4))),
)
def test_a_frame_that_is_taken_has_no_gaps(run: bytes, rank: int | None, sequences: list[int]) -> None:
    given_ = frame(*sequences, run=run, rank=rank)
    if reason := reason_of(lambda: check_frame(given_)):
        assert reason in ("INVALID_ID", "RANK_INVALID", "FRAME_EMPTY", "SEQUENCE_INVALID")
        return
    assert len(run) == 16
    assert rank is None or rank >= 0
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    assert sequences[0] >= 1
