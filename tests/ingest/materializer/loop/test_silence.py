"""When runs are lost, by the times of the log."""

from __future__ import annotations

from dataclasses import replace

from fleetlog_core.endings import Endings
from fleetlog_core.log.port import Record
from fleetlog_ingest.materializer.fold.decoding import Decoded, decode
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.loop.lost_runs import record_of
from fleetlog_ingest.materializer.loop.silence import LostRun, Silence
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.ingest.materializer.builders import NOW, PARTITION, RUN, WRITER, frame, metrics

KEY, OTHER = ("default", RUN), ("default", b"o" * 16)
AT_WORK = Run(ver=7, endings=Endings(at_work=1))
LIMIT = 300_000


def taken(message: frame_pb2.Frame, millis: int) -> Decoded:
    return decode(Record(PARTITION, 0, b"", message.SerializeToString(), millis))


def points(millis: int) -> Decoded:
    return taken(frame(metrics(5, loss=[(0, 1.0)])), millis)


def heartbeat(millis: int) -> Decoded:
    heard = event_pb2.WritersHeard(run_ids=OTHER[1] + RUN, writer_ids=WRITER * 2)
    return taken(frame(event_pb2.Event(sequence=1, writers_heard=heard), run=OTHER[1]), millis)


def silent(*, limit_seconds: float = 300.0) -> Silence:
    silence = Silence(lambda namespace: limit_seconds)
    silence.applied([points(NOW)], {KEY: AT_WORK, OTHER: Run(ver=8)})
    return silence


def lost(silence: Silence, millis: int) -> list[LostRun]:
    return list(silence.overdue(millis, 10))


def test_a_run_is_lost_when_nothing_of_it_came_for_longer_than_the_limit() -> None:
    silence = silent()
    assert lost(silence, NOW + LIMIT) == []
    assert lost(silence, NOW + LIMIT + 1) == [LostRun(KEY, 7, NOW)]


def test_frames_and_heartbeats_of_a_run_are_heard() -> None:
    for heard in (points, heartbeat):
        silence = silent()
        silence.applied([heard(NOW + 1_000)], {})
        assert lost(silence, NOW + LIMIT + 1_000) == []
        assert lost(silence, NOW + LIMIT + 1_001) == [LostRun(KEY, 7, NOW + 1_000)]


def test_what_others_deliver_or_say_of_a_run_is_not_heard_of_its_writers() -> None:
    for field, value in (("redelivered", True), ("request_digest", 5)):
        silence, message = silent(), frame(metrics(5, loss=[(0, 1.0)]))
        setattr(message, field, value)
        silence.applied([taken(message, NOW + 1_000)], {})
        assert lost(silence, NOW + LIMIT + 1) == [LostRun(KEY, 7, NOW)]


def test_runs_that_ended_or_have_no_writer_that_says_that_it_lives_are_never_lost() -> None:
    ended = replace(AT_WORK, state=int(event_pb2.RUN_STATE_FINISHED))
    for run in (ended, replace(AT_WORK, endings=None), replace(AT_WORK, deleted=True)):
        silence = silent()
        silence.applied([], {KEY: run})
        assert len(silence) == 0
        assert lost(silence, NOW * 2) == []


def test_a_limit_of_zero_is_never() -> None:
    assert lost(silent(limit_seconds=0.0), NOW * 2) == []


def test_a_change_of_the_run_changes_what_is_decided_of_it() -> None:
    silence = silent()
    silence.applied([], {KEY: replace(AT_WORK, ver=9)})
    assert lost(silence, NOW + LIMIT + 1) == [LostRun(KEY, 9, NOW)]


def test_what_is_decided_is_decided_again_after_a_while_only() -> None:
    silence = silent()
    found = lost(silence, NOW + LIMIT + 1)
    silence.decided(found, NOW + LIMIT + 1)
    assert lost(silence, NOW + LIMIT + 1_000) == []
    assert lost(silence, NOW + LIMIT + 120_000) == found


def test_runs_that_were_there_before_have_all_their_time_from_then_on() -> None:
    silence = Silence(lambda namespace: 300.0)
    silence.applied([points(NOW)], {KEY: AT_WORK})
    silence.begin([(KEY, 3), (OTHER, 4)], NOW + 10)
    assert lost(silence, NOW + LIMIT + 11) == [LostRun(KEY, 7, NOW), LostRun(OTHER, 4, NOW + 10)]
    silence.begin_anew(NOW + LIMIT)
    assert lost(silence, NOW + LIMIT + 11) == []


def test_two_that_decide_the_same_say_it_as_one_writer() -> None:
    def said(run: LostRun, millis: int) -> frame_pb2.Frame:
        return frame_pb2.Frame.FromString(record_of(run, millis))

    run = LostRun(KEY, 7, NOW)
    first, again = said(run, NOW), said(replace(run, heard_millis=NOW + 5), NOW + 9)
    assert (first.writer_id, first.events[0].sequence) == (again.writer_id, 1)
    assert said(replace(run, ver=8), NOW).writer_id != first.writer_id
    assert first.events[0].ignorable
