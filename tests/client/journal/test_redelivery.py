"""What a dead process left is delivered as it is: once, in order, however often, and with its faults told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from fleetlog._delivery import stream_frames
from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.redelivery import Redelivery
from fleetlog._delivery.redelivery_report import Report
from fleetlog._events.items import Writer
from fleetlog._journal import segments
from fleetlog._journal.folders import SET_ASIDE, Folder, waiting
from fleetlog._journal.folders import segments as segments_in
from fleetlog._journal.journal import Journal
from fleetlog._journal.left import is_something_left
from fleetlog._journal.records import MAGIC
from fleetlog._journal.set_aside import DAMAGED, REASONS
from fleetlog._runs.file_logging import FileLogger
from fleetlog._transport.connection import Connection
from fleetlog.errors import DeadlineExceeded
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import event_pb2

from tests.client.delivery.test_delivery import BACKOFF, Story, row, writer
from tests.client.gateway import ACK_LOST, DROPPED, NOT_NOW, REFUSED, House, house
from tests.waiting import reached

STEPS = 500


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path / "objects") as one:
        yield one


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journals"


def journaled(target: str, root: Path, *, offline: bool = False) -> Delivery:
    def journal(warn: Callable[[str, str], None]) -> Journal:
        return Journal(root, target, warn)

    return Delivery(Connection(target), backoff_seconds=BACKOFF, journal=journal, offline=offline)


def left_by(place: House, root: Path, *writers: Writer, steps: int = STEPS) -> Path:
    """The journal of a process that died without a server, with the steps of writers, each in frames of its own."""
    delivery = journaled(place.target, root, offline=True)
    for one in writers:
        delivery.add(one)
    for step in range(steps):
        for one in writers:
            delivery.outbox.put(row(one, step))
        if step % 50 == 0:
            delivery.flush_local()
    delivery.flush_local()
    delivery.close()
    (path,) = waiting(root)
    return path


def deliver(path: Path, place: House, patience_seconds: float = 60.0) -> Report:
    folder = Folder.take(path)
    assert folder is not None
    try:
        return Redelivery(folder, Connection(place.target), patience_seconds).run()
    finally:
        folder.release()


def test_what_is_left_arrives_whole_and_in_order_and_its_files_are_gone(place: House, root: Path) -> None:
    first, second = writer(), writer()
    path = left_by(place, root, first, second)
    report = deliver(path, place)
    assert (report.points, len(report.runs), report.problems) == (2 * STEPS, 2, [])
    story = Story(place)
    assert story.steps[first.writer_id] == story.steps[second.writer_id] == list(range(STEPS))
    assert list(root.iterdir()) == []


def test_a_copy_that_is_delivered_again_changes_nothing(place: House, root: Path, tmp_path: Path) -> None:
    one = writer()
    path = left_by(place, root, one)
    shutil.copytree(path, tmp_path / "copy")
    for found in (path, tmp_path / "copy"):
        assert deliver(found, place).problems == []
    assert Story(place).steps[one.writer_id] == list(range(STEPS))


@pytest.mark.parametrize("fault", [NOT_NOW, ACK_LOST, DROPPED])
def test_what_breaks_on_the_way_is_sent_again(place: House, root: Path, fault: str) -> None:
    one = writer()
    path = left_by(place, root, one)
    place.faults.extend([fault] * 3)
    assert deliver(path, place).problems == []
    assert Story(place).steps[one.writer_id] == list(range(STEPS))


def test_a_server_that_goes_away_leaves_what_has_no_answer_and_the_next_time_goes_on(
    place: House, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 500)
    one = writer()
    path = left_by(place, root, one)
    before = len(segments_in(path))
    place.faults.extend([DROPPED] * 100_000)
    with pytest.raises(DeadlineExceeded, match="run `fleetlog sync` again"):
        deliver(path, place, patience_seconds=0.5)
    assert 0 < len(segments_in(path)) <= before
    place.faults.clear()
    assert deliver(path, place).problems == []
    assert Story(place).steps[one.writer_id] == list(range(STEPS))


def test_segments_go_while_the_rest_is_under_way(place: House, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 500)
    monkeypatch.setattr("fleetlog._delivery.redelivery.BATCH_FRAMES", 1)
    # The next one is sent when the one before has its answer.
    monkeypatch.setattr("fleetlog._delivery.stream_frames.SMALL_FRAMES_IN_FLIGHT", 1)
    path = left_by(place, root, writer())
    seen: list[int] = []
    folder = Folder.take(path)
    assert folder is not None
    Redelivery(folder, Connection(place.target), 60.0, lambda size: seen.append(len(segments_in(path)))).run()
    assert seen[-1] < seen[0]


def test_what_the_server_refuses_is_set_aside_with_its_reason_and_can_be_tried_again(place: House, root: Path) -> None:
    one = writer()
    path = left_by(place, root, one)
    place.faults.extend([REFUSED])
    report = deliver(path, place)
    (refused,) = place.refused
    assert report.set_aside_frames == 1
    assert not path.exists()
    aside = path.with_name(path.name + SET_ASIDE)
    (reason,) = [json.loads(line) for line in (aside / REASONS).read_text().splitlines()]
    assert (reason["run_id"], reason["reason"]) == (one.run_id.hex(), "REFUSED_BY_TEST")
    assert waiting(root) == []
    # The cause is mended: what was set aside is a journal like any other.
    again = deliver(aside, place)
    assert again.problems == []
    assert again.frames == 1
    assert not aside.exists()
    assert {event.sequence for frame in place.frames() for event in frame.events} >= {
        event.sequence for event in refused.events
    }


def test_damage_costs_what_is_behind_it_in_its_segment_and_is_kept_and_told(
    place: House, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 500)
    one = writer()
    path = left_by(place, root, one)
    first, *_, last = segments_in(path)
    damaged = bytearray(first.read_bytes())
    damaged[-1] ^= 1
    first.write_bytes(damaged)
    os.truncate(last, last.stat().st_size - 1)
    report = deliver(path, place)
    problems = "\n".join(report.problems)
    assert "its checksum does not match its bytes" in problems
    assert "bytes are missing" in problems
    kept = path.with_name(path.name + SET_ASIDE)
    assert (kept / (first.name + DAMAGED)).read_bytes() == bytes(damaged)
    steps = Story(place).steps[one.writer_id]
    assert 0 < len(steps) < STEPS
    assert steps == sorted(set(steps))


def test_a_journal_stays_while_what_is_refused_of_it_can_not_be_set_aside(
    place: House, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 500)
    one = writer()
    path = left_by(place, root, one)
    in_the_way = path.with_name(path.name + SET_ASIDE)
    in_the_way.touch()
    place.faults.extend([REFUSED])
    with pytest.raises(OSError, match="exists"):
        deliver(path, place)
    in_the_way.unlink()
    # What was behind it was taken: it comes later than that.
    assert deliver(path, place).problems == []
    events = [event for frame in place.frames() for event in frame.events]
    assert {step for event in events for step in accumulate(event.metrics_logged.step_deltas)} == set(range(STEPS))
    assert list(root.iterdir()) == []


def test_a_damaged_segment_stays_while_it_can_not_be_set_aside(place: House, root: Path) -> None:
    one = writer()
    path = left_by(place, root, one)
    *_, last = segments_in(path)
    os.truncate(last, last.stat().st_size - 1)
    in_the_way = path.with_name(path.name + SET_ASIDE)
    in_the_way.touch()
    report = deliver(path, place)
    (problem,) = report.problems
    assert f"stay in {path}" in problem
    assert not report.removed
    assert last.exists()
    in_the_way.unlink()
    assert "are set aside" in deliver(path, place).problems[0]
    assert (in_the_way / (last.name + DAMAGED)).exists()
    assert not path.exists()


def test_every_cut_of_a_journal_delivers_what_is_before_it(place: House, root: Path) -> None:
    one = writer()
    path = left_by(place, root, one, steps=100)
    (segment,) = segments_in(path)
    whole = segment.read_bytes()
    seen = 0
    for size in range(len(MAGIC), len(whole), max(1, len(whole) // 12)):
        copy = root / f"cut-{size}"
        shutil.copytree(path, copy)
        os.truncate(copy / segment.name, size)
        deliver(copy, place)
        steps = Story(place).steps.get(one.writer_id, [])
        assert steps == list(range(len(steps)))
        assert len(steps) >= seen
        seen = len(steps)
    assert deliver(path, place).problems == []
    assert Story(place).steps[one.writer_id] == list(range(100))


def test_an_experiment_is_resolved_when_it_is_delivered(place: House, root: Path) -> None:
    started = event_pb2.RunStarted(name="offline")
    one = Writer("default", new_random_id(), new_random_id(), None, "Default", started)
    path = left_by(place, root, one)
    folder = Folder.take(path)
    assert folder is not None
    redelivery = Redelivery(folder, Connection(place.target), 60.0)
    redelivery._delivery._experiments._known["default", "Default"] = 9
    redelivery.run()
    numbers = [
        event.run_started.experiment_id
        for frame in place.frames()
        for event in frame.events
        if event.HasField("run_started")
    ]
    assert numbers == [9]


def test_a_process_that_finds_its_server_again_delivers_by_itself_and_leaves_no_file(
    place: House, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than memory takes is read back from the journal, in order."""
    monkeypatch.setattr(stream_frames, "SMALL_FRAMES_IN_FLIGHT", 4)
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 500)
    place.stop()
    delivery = journaled(place.target, root)
    delivery._in_flight._waiting._most_bytes = 1_000
    first, second = writer(), writer()
    delivery.add(first)
    delivery.add(second)
    for step in range(STEPS):
        delivery.outbox.put(row(first, step))
        delivery.outbox.put(row(second, step))
        if step % 10 == 0:
            delivery.flush_local()
    delivery.flush_local()
    assert delivery._in_flight.size < 10_000
    assert delivery.pending_points == 2 * STEPS
    place.start()
    assert delivery.flush(60.0), delivery.pending()
    reached(lambda: delivery._in_flight.low == delivery._in_flight.next_serial)
    delivery.close()
    story = Story(place)
    assert story.steps[first.writer_id] == story.steps[second.writer_id] == list(range(STEPS))
    assert list(root.iterdir()) == []
    assert delivery.account.lost_points == 0


def test_a_file_that_no_server_took_is_uploaded_as_it_was_once(place: House, root: Path, tmp_path: Path) -> None:
    one, content = writer(), os.urandom(3 << 20)
    delivery = journaled(place.target, root, offline=True)
    delivery.add(one)
    file = tmp_path / "model.bin"
    file.write_bytes(content)
    logger = FileLogger(delivery, one, lambda event: None, lambda: 1_700_000_000_000)
    logger.log(file)
    logger.log_content("text", b"x" * (2 << 20))
    file.write_bytes(b"something else")
    assert delivery.pending() == "2 files (model.bin, text)"
    delivery.flush_local()
    delivery.close()
    (path,) = waiting(root)
    assert is_something_left(path)
    shutil.copytree(path, tmp_path / "copy")
    for found in (tmp_path / "copy", path):
        report = deliver(found, place)
        assert (report.files, report.problems, report.removed) == (2, [], True)
    events = {
        (frame.writer_id, event.sequence): event.artifact_logged
        for frame in place.frames()
        for event in frame.events
        if event.HasField("artifact_logged")
    }
    assert {told.path: told.sha256 for told in events.values()} == {
        "model.bin": hashlib.sha256(content).digest(),
        "text": hashlib.sha256(b"x" * (2 << 20)).digest(),
    }
    assert len(events) == 2
    assert list(root.iterdir()) == []


def test_a_file_that_finds_no_room_in_the_journal_is_told_to_the_run_when_no_server_is_tried(
    place: House, root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def journal(warn: Callable[[str, str], None]) -> Journal:
        return Journal(root, place.target, warn, 16 << 20)

    one = writer()
    delivery = Delivery(Connection(place.target), backoff_seconds=BACKOFF, journal=journal, offline=True)
    delivery.add(one)
    file = tmp_path / "large"
    with file.open("wb") as opened:
        opened.truncate(20 << 20)
    FileLogger(delivery, one, lambda event: None, lambda: 0).log(file)
    delivery.flush_local()
    delivery.close()
    assert "FLEETLOG_JOURNAL_BYTES gives it more" in caplog.text
    (path,) = waiting(root)
    assert deliver(path, place).files == 0
    told = [event.loss_reported for frame in place.frames() for event in frame.events]
    assert [(loss.reason, loss.events) for loss in told if loss.reason] == [("ARTIFACT_NOT_KEPT", 1)]
