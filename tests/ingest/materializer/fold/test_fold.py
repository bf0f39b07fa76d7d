from __future__ import annotations

import math

from fleetlog_core.warehouse.port import Coded
from fleetlog_ingest.materializer.fold.params import number_of, values_of
from fleetlog_ingest.materializer.fold.result import Folded
from fleetlog_ingest.materializer.fold.sequences import SequenceSet
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_proto.v1 import event_pb2

from tests.ingest.materializer.builders import NOW, RUN, WRITER, folded, frame, metrics, params, record, start

KEY = ("default", RUN)
ELSEWHERE = ("fineweb", "test", "file")


def texts(out: Folded, table: str, column: str) -> list[str]:
    found = out.tables[table][column] if table in out.tables else []
    return [found.texts[code] for code in found.codes] if isinstance(found, Coded) else [str(cell) for cell in found]


def test_a_repeat_in_any_frame_is_passed_over() -> None:
    first = record(frame(start(1), metrics(2, loss=[(0, 1.0)])), 0)
    again = record(frame(metrics(2, loss=[(0, 1.0)]), metrics(3, loss=[(1, 2.0)])), 1)
    out = folded(State(), first, again)
    assert (out.events, out.duplicates, out.points) == (3, 1, 2)
    assert texts(out, "writers", "ranges") == ["1-3"]


def test_the_state_before_is_not_changed() -> None:
    before = State({}, {("default", RUN, WRITER): SequenceSet.parse("1-2")}, {KEY: {"lr": "1"}})
    folded(before, record(frame(params(3, seed="1")), 5))
    assert before.writers[("default", RUN, WRITER)].text() == "1-2"
    assert before.params == {KEY: {"lr": "1"}}
    assert before.runs == {}


def test_a_batch_says_before_all_else_which_runs_it_is_of() -> None:
    out = folded(State(), record(frame(start(1, experiment=4), metrics(2, loss=[(0, 1.0)])), 0))
    again = folded(State().after(out.changes), record(frame(metrics(2, loss=[(0, 1.0)])), 7))
    for found, offset in ((out, 0), (again, 7)):
        assert next(iter(found.tables)) == "run_touches"
        assert texts(found, "run_touches", "experiment") == ["4"]
        assert int(texts(found, "run_touches", "until")[0]) > offset
    refused = metrics(1, loss=[(0, 1.0)])
    refused.metrics_logged.step_deltas.append(1)
    # Nothing of it was applied, but the run is there now.
    assert {"run_touches", "runs"} <= folded(State(), record(frame(refused), 0)).tables.keys()


def test_gaps_stay_open() -> None:
    out = folded(State(), record(frame(metrics(5, loss=[(0, 1.0)])), 0))
    late = folded(State().after(out.changes), record(frame(metrics(2, loss=[(0, 1.0)])), 1))
    assert late.events == 1
    assert texts(late, "writers", "ranges") == ["2-2,5-5"]


def test_the_first_write_of_a_param_wins_and_another_value_is_told() -> None:
    out = folded(State(), record(frame(start(1, lr="0.1"), params(2, lr="0.1", seed="1"), params(3, lr="true")), 0))
    assert sorted(texts(out, "attrs", "str")) == ["0.1", "1"]
    assert texts(out, "problems", "reason") == ["PARAM_CONFLICT"]
    assert "'0.1'" in texts(out, "problems", "message")[0]


def test_the_first_write_of_a_dataset_wins_and_another_one_is_told() -> None:
    def read(sequence: int, name: str, context: str, source: str) -> event_pb2.Event:
        event = event_pb2.Event(sequence=sequence)
        event.datasets_logged.datasets.add(name=name, context=context, source=source)
        return event

    first, other = read(2, "fineweb", "training", "s3"), read(3, "fineweb", "test", "gs")
    out = folded(State(), record(frame(start(1), first, other), 0))
    assert sorted(zip(texts(out, "attrs", "key"), texts(out, "attrs", "str"), strict=True)) == [
        ("fineweb\x1f\x1ftest", '{"source":"gs"}'),
        ("fineweb\x1f\x1ftraining", '{"source":"s3"}'),
    ]
    again = folded(State().after(out.changes), record(frame(read(4, "fineweb", "test", "gs"), read(5, *ELSEWHERE)), 1))
    assert "attrs" not in again.tables
    assert texts(again, "problems", "reason") == ["DATASET_CONFLICT"]
    assert "'fineweb / test'" in texts(again, "problems", "message")[0]


def test_an_event_before_run_started_makes_the_run_in_the_default_experiment() -> None:
    out = folded(State(), record(frame(metrics(1, loss=[(0, 1.0)])), 0))
    assert out.changes.runs[KEY].experiment == 0
    assert not out.changes.runs[KEY].started
    later = folded(State().after(out.changes), record(frame(start(2, experiment=4, name="late")), 1))
    run = later.changes.runs[KEY]
    assert (run.experiment, run.name, run.started) == (0, "late", True)
    assert texts(later, "problems", "reason") == ["EXPERIMENT_FIXED"]
    assert "run_homes" not in later.tables


def test_only_the_first_start_names_the_run_and_resume_makes_it_run_again() -> None:
    finish = event_pb2.Event(sequence=2, observe_time_millis=NOW + 5)
    finish.run_finished.state = event_pb2.RUN_STATE_FAILED
    out = folded(State(), record(frame(start(1, name="one"), finish), 0))
    run = out.changes.runs[KEY]
    assert (run.state, run.end_time) == (event_pb2.RUN_STATE_FAILED, NOW + 5)
    resume = start(3, name="two")
    resume.run_started.opening = event_pb2.RUN_OPENING_RESUME
    run = folded(State().after(out.changes), record(frame(resume), 1)).changes.runs[KEY]
    assert (run.name, run.state, run.end_time, run.ver) == ("one", event_pb2.RUN_STATE_RUNNING, 0, 1)


def test_a_writer_that_annotates_leaves_the_state_of_the_run() -> None:
    finish = event_pb2.Event(sequence=2, observe_time_millis=NOW + 5)
    finish.run_finished.state = event_pb2.RUN_STATE_FINISHED
    out = folded(State(), record(frame(start(1, name="one"), finish), 0))
    late = start(1, name="two")
    late.run_started.opening = event_pb2.RUN_OPENING_ANNOTATE
    said = frame(late, metrics(2, eval_loss=[(0, 1.0)]), writer=b"a" * 16)
    later = folded(State().after(out.changes), record(said, 1))
    assert KEY not in later.changes.runs
    assert texts(later, "attrs", "key") == ["eval_loss"]
    assert "problems" not in later.tables


def test_a_writer_that_annotates_first_leaves_the_start_to_the_one_that_starts() -> None:
    early = start(1, name="two", experiment=4)
    early.run_started.opening = event_pb2.RUN_OPENING_ANNOTATE
    out = folded(State(), record(frame(early, writer=b"a" * 16), 0))
    assert (out.changes.runs[KEY].started, out.changes.runs[KEY].experiment) == (False, 4)
    run = folded(State().after(out.changes), record(frame(start(1, name="one", experiment=4)), 1)).changes.runs[KEY]
    assert (run.name, run.started) == ("one", True)


def test_state_and_end_are_whatever_was_said_of_them_last() -> None:
    def updated(sequence: int, state: event_pb2.RunState.ValueType, end: int | None = None) -> event_pb2.Event:
        event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW + sequence)
        event.run_updated.CopyFrom(event_pb2.RunUpdated(state=state, end_time_millis=end))
        return event

    def after(*events: event_pb2.Event) -> tuple[int, int, str]:
        run = folded(State(), record(frame(start(1, name="one"), *events), 0)).changes.runs[KEY]
        return run.state, run.end_time, run.name

    killed, scheduled = event_pb2.RUN_STATE_KILLED, event_pb2.RUN_STATE_SCHEDULED
    assert after(updated(2, killed)) == (killed, NOW + 2, "one")
    assert after(updated(2, killed, NOW + 9)) == (killed, NOW + 9, "one")
    assert after(updated(2, killed), updated(3, scheduled)) == (scheduled, 0, "one")
    assert after(updated(2, scheduled, NOW + 7)) == (scheduled, NOW + 7, "one")
    assert after(updated(2, killed), updated(3, event_pb2.RUN_STATE_UNSPECIFIED, 0)) == (killed, 0, "one")


def test_when_a_run_was_deleted_is_kept_until_it_is_restored() -> None:
    def deleted(sequence: int, gone: bool) -> event_pb2.Event:
        event = event_pb2.Event(sequence=sequence)
        (event.run_deleted if gone else event.run_restored).SetInParent()
        return event

    first, again = frame(start(1), deleted(2, True)), frame(deleted(3, True))
    first.ingest_time_millis, again.ingest_time_millis = NOW + 50, NOW + 90
    out = folded(State(), record(first, 0))
    assert out.changes.runs[KEY].delete_time == NOW + 50
    state = State().after(out.changes)
    assert folded(state, record(again, 1)).changes.runs[KEY].delete_time == NOW + 50
    assert folded(state, record(frame(deleted(3, False)), 1)).changes.runs[KEY].delete_time == 0


def test_deleted_restored_and_renamed() -> None:
    gone, back = event_pb2.Event(sequence=2), event_pb2.Event(sequence=3)
    gone.run_deleted.SetInParent()
    back.run_restored.SetInParent()
    named = event_pb2.Event(sequence=4)
    named.run_updated.name = "new"
    out = folded(State(), record(frame(start(1), gone), 0))
    assert out.changes.runs[KEY].deleted
    run = folded(State().after(out.changes), record(frame(back, named), 1)).changes.runs[KEY]
    assert not run.deleted
    assert run.name == "new"


def test_tags_are_set_and_removed_by_the_last_word() -> None:
    put, drop = event_pb2.Event(sequence=1), event_pb2.Event(sequence=2)
    put.tags_set.tags["a"] = "12"
    put.tags_set.tags["b"] = "x"
    drop.tags_deleted.keys.append("a")
    out = folded(State(), record(frame(put, drop), 0))
    assert dict(zip(texts(out, "attrs", "key"), texts(out, "attrs", "removed"), strict=True)) == {"a": "1", "b": "0"}


def test_an_unknown_event_is_skipped_or_kept_for_later() -> None:
    may, must = event_pb2.Event(sequence=1, ignorable=True), event_pb2.Event(sequence=2)
    out = folded(State(), record(frame(may, must, metrics(3, loss=[(0, 1.0)])), 7))
    assert texts(out, "writers", "ranges") == ["1-1,3-3"]
    assert [(letter.record.offset, letter.reason) for letter in out.dead] == [(7, "UNKNOWN_EVENT")]
    assert texts(out, "problems", "reason") == ["UNKNOWN_EVENT"]


def test_bytes_that_are_no_frame_are_a_dead_letter() -> None:
    out = folded(State(), record(b"\xff\xff\xff", 3), record(frame(start(1), run=b"short"), 4))
    assert [letter.reason for letter in out.dead] == ["UNDECODABLE", "MALFORMED"]
    assert not out.tables


def test_a_loss_and_a_refusal_are_told_on_the_run() -> None:
    loss, refused = event_pb2.Event(sequence=1), event_pb2.Event(sequence=2)
    loss.loss_reported.points = 12
    loss.loss_reported.reason = "BUFFER_FULL"
    refused.event_refused.reason = "KEY_TOO_LONG"
    refused.event_refused.points = 3
    out = folded(State(), record(frame(loss, refused), 0))
    assert texts(out, "problems", "reason") == ["BUFFER_FULL", "KEY_TOO_LONG"]
    assert texts(out, "problems", "points") == ["12", "3"]


def test_names_that_are_not_taken_any_more_fold_as_ever() -> None:
    key = "pay\u202e001\u200b"
    artifact = event_pb2.Event(sequence=4)
    artifact.artifact_logged.path = f"{key}.exe"
    artifact.artifact_logged.sha256 = bytes(32)
    loss = event_pb2.Event(sequence=5, loss_reported=event_pb2.LossReported(points=7, reason="of before"))
    events = [start(1, name=key), metrics(2, **{key: [(0, 1.0)]}), params(3, **{key: "x"}), artifact, loss]
    out = folded(State(), record(frame(*events), 0))
    assert texts(out, "points", "key") == [key]
    assert key in texts(out, "attrs", "key")
    assert not out.dead
    assert ("OTHER", "7") in zip(texts(out, "problems", "reason"), texts(out, "problems", "points"), strict=True)


def test_reasons_that_a_client_makes_up_are_few_and_short_in_the_tables() -> None:
    reasons = [*(f"R{number}" for number in range(100)), "\x1b[2J", "X" * 10_000, "R0", ""]
    events = [
        event_pb2.Event(sequence=place, loss_reported=event_pb2.LossReported(points=1, reason=reason))
        for place, reason in enumerate(reasons, start=1)
    ]
    out = folded(State(), record(frame(*events), 0))
    told = texts(out, "problems", "reason")
    assert told == [*(f"R{number}" for number in range(64)), *["OTHER"] * 38, "R0", "LOSS_REPORTED"]
    assert texts(out, "problems", "points") == ["1"] * len(reasons)


def test_canonical_texts_and_their_numbers() -> None:
    def canonical(param: event_pb2.Param) -> tuple[str, float, int]:
        values = values_of([param])
        return values.texts[0], values.numbers[0], values.types[0]

    assert canonical(event_pb2.Param(whole=3)) == ("3", 3.0, 3)
    assert canonical(event_pb2.Param(real=1e-3)) == ("0.001", 0.001, 4)
    assert canonical(event_pb2.Param(truth=True))[::2] == ("true", 5)
    assert canonical(event_pb2.Param(text="1e-3")) == ("1e-3", 0.001, 2)
    for text in ("", "nan", "1_000", "0x10", "١٢", "abc"):
        assert math.isnan(number_of(text))


def test_a_clock_that_is_ahead_is_told_and_nothing_is_dropped() -> None:
    end = event_pb2.Event(sequence=3, observe_time_millis=NOW + 86_400_000, run_finished=event_pb2.RunFinished())
    out = folded(State(), record(frame(start(1), metrics(2, loss=[(0, 1.0)]), end), 0))
    assert (texts(out, "problems", "reason"), texts(out, "problems", "sequence")) == (["CLOCK_AHEAD"], ["3"])
    assert "86,400 s ahead" in texts(out, "problems", "message")[0]
    assert (out.events, texts(out, "runs", "end_time")) == (3, [str(NOW + 86_400_000)])
    # What waited in a journal for a day is no clock that is behind.
    end.observe_time_millis = NOW - 86_400_000
    assert "problems" not in folded(State(), record(frame(start(1), metrics(2, loss=[(0, 1.0)]), end), 0)).tables
