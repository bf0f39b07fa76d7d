"""Sequences of one stream: gaps, repeats, and other events under the same numbers."""

from __future__ import annotations

from pathlib import Path

import grpc
from fleetlog_core.log.memory import MemoryLog
from fleetlog_proto.v1 import frame_pb2, ingest_pb2
from google.rpc import error_details_pb2, status_pb2

from tests.ingest.gateway.serving import RUN, SECONDS, WRITER, logged, reason, serving
from tests.ingest.gateway.test_stream import follow, opened
from tests.ingest.materializer.builders import frame, metrics


def expected(status: status_pb2.Status) -> str:
    """The sequence that the refusal asks for."""
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return str(info.metadata["expected_sequence"])


def sequences(log: MemoryLog) -> list[int]:
    return [event.sequence for one in logged(log) for event in one.events]


def test_a_gap_is_refused_with_the_sequence_that_is_expected_and_the_stream_goes_on(tmp_path: Path) -> None:
    log = MemoryLog()
    with serving(log, tmp_path) as gateway:
        answers = gateway.append([opened(), follow(9), follow(10), follow(2), follow(3), follow(5), follow(4)])
    assert [answer.durable_sequence for answer in answers] == [1, 0, 0, 2, 3, 0, 4]
    gaps = [answer for answer in answers if answer.HasField("status")]
    assert {reason(gap.status) for gap in gaps} == {"SEQUENCE_GAP"}
    assert {gap.status.code for gap in gaps} == {grpc.StatusCode.OUT_OF_RANGE.value[0]}
    assert [expected(gap.status) for gap in gaps] == ["2", "2", "4"]
    assert {(answer.run_id, answer.writer_id) for answer in answers} == {(RUN, WRITER)}
    assert sequences(log) == [1, 2, 3, 4]


def test_a_gap_within_one_request_leaves_its_other_frames(tmp_path: Path) -> None:
    log = MemoryLog()
    request = ingest_pb2.AppendEventsRequest(frame=opened(), more_frames=[follow(4), follow(2), follow(3)])
    with serving(log, tmp_path) as gateway:
        (answer,) = gateway.ingest.AppendEvents(iter([request]), timeout=SECONDS)
    answers = [answer, *answer.more_responses]
    assert [one.durable_sequence for one in answers] == [1, 0, 2, 3]
    assert {(one.run_id, one.writer_id) for one in answers} == {(RUN, WRITER)}
    assert sequences(log) == [1, 2, 3]


def test_sequences_are_of_each_writer(tmp_path: Path) -> None:
    log, other = MemoryLog(), b"o" * 16
    mine, theirs = frame(metrics(2, x=[(0, 1.0)])), frame(metrics(3, x=[(0, 1.0)]), writer=other)
    with serving(log, tmp_path) as gateway:
        answers = gateway.append([opened(), opened(other), mine, theirs])
    assert [reason(answer.status) for answer in answers] == ["", "", "", "SEQUENCE_GAP"]


def test_what_was_refused_counts_as_answered(tmp_path: Path) -> None:
    log = MemoryLog()
    # A rank below 0 refuses the frame as a whole.
    wrong = frame(metrics(2, x=[(0, 1.0)]), metrics(3, x=[(0, 1.0)]))
    wrong.rank = -1
    with serving(log, tmp_path) as gateway:
        answers = gateway.append([opened(), wrong, frame(metrics(4, x=[(0, 1.0)])), follow(6)])
    assert [reason(answer.status) for answer in answers] == ["", "RANK_INVALID", "", "SEQUENCE_GAP"]
    assert sequences(log) == [1, 4]


def test_a_stream_begins_where_its_client_left_off(tmp_path: Path) -> None:
    log = MemoryLog()
    with serving(log, tmp_path) as gateway:
        gateway.append([opened(), follow(2)])
        again = frame(metrics(2, x=[(2, 1.0)]), metrics(3, x=[(0, 1.0)]))
        assert [answer.durable_sequence for answer in gateway.append([opened(), again])] == [1, 3]


def test_a_repeat_is_taken_and_other_events_under_its_sequences_are_refused(tmp_path: Path) -> None:
    log = MemoryLog()
    long = [(step, float(step)) for step in range(20_000)]
    other = [(step, float(step if step != 9_999 else -1)) for step in range(20_000)]

    def of(points: list[tuple[int, float]]) -> frame_pb2.Frame:
        return frame_pb2.Frame(events=[metrics(3, y=points)])

    with serving(log, tmp_path) as gateway:
        answers = gateway.append(
            [opened(), follow(2), follow(2), follow(2, x=2.0), of(long), of(long), of([*other[:5_000], *other[5_001:]])]
        )
    assert [reason(answer.status) for answer in answers] == ["", "", "", "SEQUENCE_REUSED", "", "", "SEQUENCE_REUSED"]
    assert answers[3].status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert sequences(log) == [1, 2, 2, 3, 3]
