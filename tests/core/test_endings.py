"""States of runs with several writers: who is at work, who ended how, who was lost and heard of again."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import pytest
from fleetlog_core.endings import Endings, new_life, worse
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_proto.v1 import event_pb2, frame_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.materializer.builders import NOW, RUN, folded, frame, metrics, record
from tests.profiles import examples

RUNNING, FINISHED, FAILED, KILLED = (
    event_pb2.RUN_STATE_RUNNING,
    event_pb2.RUN_STATE_FINISHED,
    event_pb2.RUN_STATE_FAILED,
    event_pb2.RUN_STATE_KILLED,
)
LOST, SCHEDULED = event_pb2.RUN_STATE_LOST, event_pb2.RUN_STATE_SCHEDULED
JOIN, RESUME = event_pb2.RUN_OPENING_JOIN, event_pb2.RUN_OPENING_RESUME
ENDS = (FINISHED, FAILED, KILLED)


def writer_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


@dataclass
class Told:
    """A run that is told of event by event."""

    state: State = field(default_factory=State)
    offsets: count[int] = field(default_factory=count)
    sequences: dict[int, int] = field(default_factory=dict)
    records: list[Decoded] = field(default_factory=list)

    @property
    def run(self) -> Run:
        return self.state.runs["default", RUN]

    def take(self, message: frame_pb2.Frame) -> int:
        """The state after a record."""
        self.records.append(record(message, next(self.offsets)))
        out = folded(self.state, self.records[-1])
        assert not out.dead
        self.state = self.state.after(out.changes)
        return self.run.state

    def say(self, number: int, event: event_pb2.Event, *, redelivered: bool = False, digest: int = 0) -> int:
        event.sequence = self.sequences[number] = self.sequences.get(number, 0) + 1
        message = frame(event, writer=writer_id(number))
        message.redelivered, message.request_digest = redelivered, digest
        return self.take(message)

    def start(
        self,
        number: int,
        opening: event_pb2.RunOpening.ValueType = JOIN,
        *,
        heartbeats: bool = True,
        redelivered: bool = False,
        time: int = NOW,
    ) -> int:
        started = event_pb2.RunStarted(opening=opening, heartbeats=heartbeats)
        return self.say(number, event_pb2.Event(observe_time_millis=time, run_started=started), redelivered=redelivered)

    def end(
        self, number: int, state: event_pb2.RunState.ValueType, time: int = NOW, *, redelivered: bool = False,
        digest: int = 0,
    ) -> int:  # fmt: skip
        finished = event_pb2.RunFinished(state=state, end_time_millis=time)
        return self.say(number, event_pb2.Event(run_finished=finished), redelivered=redelivered, digest=digest)

    def points(self, number: int, *, redelivered: bool = False) -> int:
        return self.say(number, metrics(0, loss=[(self.sequences[number], 1.0)]), redelivered=redelivered)

    def given(self, state: event_pb2.RunState.ValueType) -> int:
        self.sequences.setdefault(99, 1)
        return self.say(99, event_pb2.Event(observe_time_millis=NOW, run_updated=event_pb2.RunUpdated(state=state)))

    def lose(self, ver: int | None = None) -> int:
        lost = event_pb2.RunLost(ver=self.run.ver if ver is None else ver, heard_time_millis=NOW + 7)
        message = frame(event_pb2.Event(sequence=1, run_lost=lost), writer=writer_id(1000 + next(self.offsets)))
        return self.take(message)

    def hear(self, *numbers: int) -> int:
        heard = event_pb2.WritersHeard(
            run_ids=RUN * len(numbers), writer_ids=b"".join(writer_id(number) for number in numbers)
        )
        return self.take(frame(event_pb2.Event(sequence=1, writers_heard=heard), writer=b"g" * 16))


@settings(max_examples=examples(400))
@given(st.data())
def test_the_order_in_which_writers_come_and_end_decides_nothing(data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.sampled_from(ENDS), min_size=1, max_size=5))
    order = data.draw(st.permutations([number for number in range(len(ends)) for _ in range(3)]))
    told, steps = Told(), dict.fromkeys(range(len(ends)), 0)
    for number in order:
        step = steps[number]
        steps[number] += 1
        if step == 0:
            state = told.start(number)
        elif step == 1:
            state = told.points(number)
        else:
            state = told.end(number, ends[number], NOW + number)
        at_work = [one for one, done in steps.items() if 0 < done < 3]
        assert (state == RUNNING) == bool(at_work)
        assert (told.run.end_time == 0) == bool(at_work)
    assert state == max(ends, key=(FINISHED, KILLED, FAILED).index)
    assert told.run.end_time == NOW + len(ends) - 1
    # As one batch it is the same.
    whole = folded(State(), *told.records)
    assert whole.changes.runs["default", RUN] == told.run
    assert whole.changes.work == told.state.work


def test_a_run_with_a_rank_that_is_at_work_is_running() -> None:
    told = Told()
    told.start(0)
    told.start(1)
    assert told.end(0, FAILED) == RUNNING
    assert told.end(1, FINISHED) == FAILED


def test_of_writers_that_do_not_tell_when_they_end_the_last_end_counts() -> None:
    told = Told()
    told.start(0, heartbeats=False)
    told.start(1, heartbeats=False)
    assert told.end(0, FAILED) == FAILED
    assert told.end(1, FINISHED) == FINISHED
    assert told.run.endings is None
    assert told.lose() == FINISHED
    assert told.start(2) == RUNNING
    assert told.end(2, KILLED) == KILLED


def test_the_end_that_a_child_tells_ends_the_run_unless_its_parent_goes_on() -> None:
    told = Told()
    told.start(0)
    told.start(1, heartbeats=False)
    assert told.end(1, KILLED) == KILLED
    assert told.points(0) == RUNNING
    assert told.end(0, FINISHED) == KILLED


@pytest.mark.parametrize("state", ENDS)
def test_a_state_that_is_given_stays_until_the_run_is_resumed(state: event_pb2.RunState.ValueType) -> None:
    told = Told()
    told.start(0)
    assert told.given(state) == state
    told.points(0)
    told.hear(0)
    assert told.run.state == state
    assert told.end(0, FAILED) == state
    assert told.lose() == state
    assert told.start(1, RESUME) == RUNNING
    assert told.end(1, FINISHED) == FINISHED


def test_an_end_that_is_asked_for_stays_as_a_state_that_is_given_does() -> None:
    told = Told()
    told.start(0)
    told.start(7, heartbeats=False)
    assert told.end(7, KILLED, digest=5) == KILLED
    assert told.end(0, FINISHED) == KILLED


@pytest.mark.parametrize("state", [RUNNING, SCHEDULED])
def test_a_run_that_is_given_a_state_without_an_end_begins_anew(state: event_pb2.RunState.ValueType) -> None:
    told = Told()
    told.start(0)
    told.start(1)
    told.end(0, FAILED)
    assert told.given(state) == state
    assert told.points(1) == RUNNING
    assert told.end(1, FINISHED) == FINISHED


def test_a_run_that_is_lost_runs_again_when_a_writer_is_heard_of() -> None:
    for by_heartbeat in (True, False):
        told = Told()
        told.start(0)
        told.start(1)
        assert told.lose() == LOST
        assert told.run.end_time == NOW + 7
        assert (told.hear(1, 0) if by_heartbeat else told.points(0)) == RUNNING
        assert told.run.end_time == 0


def test_what_was_decided_of_a_run_that_changed_since_is_void() -> None:
    told = Told()
    told.start(0)
    before = told.run.ver
    assert told.lose() == LOST
    told.hear(0)
    assert told.lose(before) == RUNNING
    assert told.lose() == LOST


def test_a_run_that_is_lost_ends_with_its_writers() -> None:
    told = Told()
    told.start(0)
    told.start(1)
    told.lose()
    # From the journals that they left.
    assert told.end(0, FINISHED, redelivered=True) == LOST
    assert told.end(1, FINISHED, redelivered=True) == FINISHED


def test_a_failure_is_worse_than_a_loss_and_a_loss_worse_than_an_end() -> None:
    for end, expected in ((FINISHED, LOST), (KILLED, KILLED), (FAILED, FAILED)):
        told = Told()
        told.start(0)
        told.start(1)
        assert told.end(0, end) == RUNNING
        assert told.lose() == expected
        assert told.hear(1) == RUNNING
        assert told.end(1, FINISHED) == end


def test_what_a_journal_tells_brings_no_run_back() -> None:
    told = Told()
    told.start(0)
    told.lose()
    assert told.points(0, redelivered=True) == LOST
    assert told.points(0) == RUNNING


def test_a_run_that_is_resumed_forgets_how_it_ended() -> None:
    told = Told()
    told.start(0)
    told.end(0, FAILED)
    assert told.start(1, RESUME) == RUNNING
    assert told.end(1, FINISHED) == FINISHED


def test_a_process_that_was_killed_and_followed_leaves_no_trace_in_the_state() -> None:
    told = Told()
    told.start(0)
    told.start(1, RESUME)
    # What the first one still said comes late, its end too.
    told.points(0, redelivered=True)
    assert told.end(0, KILLED) == RUNNING
    assert told.end(1, FINISHED) == FINISHED


def test_ranks_that_all_resume_are_all_at_work() -> None:
    told = Told()
    for number in range(3):
        told.start(number, RESUME)
    told.points(0)
    told.hear(1)
    assert told.end(0, FAILED) == told.end(2, FINISHED) == RUNNING
    assert told.end(1, FINISHED) == FAILED


def test_ranks_whose_journals_are_delivered_one_after_another_end_as_the_worst_of_them() -> None:
    told = Told()
    for number, state in enumerate((FAILED, FINISHED, KILLED)):
        told.start(number, RESUME, redelivered=True, time=NOW + number)
        told.end(number, state, NOW + 50, redelivered=True)
    assert told.run.state == FAILED


def test_a_writer_that_annotates_is_not_at_work() -> None:
    told = Told()
    told.start(0)
    told.end(0, FINISHED)
    assert told.start(1, event_pb2.RUN_OPENING_ANNOTATE) == FINISHED


def test_points_of_a_writer_that_sends_no_heartbeats_bring_a_lost_run_back_for_good() -> None:
    told = Told()
    told.start(0)
    told.start(1, heartbeats=False)
    told.lose()
    assert told.points(1) == RUNNING
    assert told.lose() == RUNNING


def test_heartbeats_of_runs_and_writers_that_are_not_known_change_nothing() -> None:
    heard = event_pb2.WritersHeard(run_ids=RUN + b"x" * 16, writer_ids=writer_id(0) + writer_id(1))
    out = folded(State(), record(frame(event_pb2.Event(sequence=1, writers_heard=heard)), 0))
    assert (out.tables, out.dead, out.changes) == ({}, [], State())


@given(st.builds(Endings, *[st.integers(0, 2**40)] * 6, fixed=st.booleans()))
def test_endings_are_read_as_they_were_written(endings: Endings) -> None:
    assert Endings.parse(endings.text()) == endings
    assert Endings.parse("") is None


def test_no_end_is_better_than_any() -> None:
    assert worse(0, 0) == 0
    assert worse(0, FINISHED) == FINISHED
    assert new_life(3).state == 0
