"""The journal of a living process: what it takes is in its files, whatever the disk does."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleetlog._journal import segments
from fleetlog._journal.folders import Folder, about, is_held, waiting
from fleetlog._journal.folders import segments as segments_in
from fleetlog._journal.journal import RETRY_SECONDS, Journal
from fleetlog._journal.reading import Damage, read_frames
from fleetlog._journal.records import Answered, LoggedFrame
from fleetlog.errors import FailedPrecondition

from tests.client.journal.disks import BROKEN, FULL, READ_ONLY, FailingDisk


class Place:
    """A journal, its disk and clock, and what it warned of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.disk = FailingDisk()
        self.time = 0.0
        self.warned: list[str] = []
        self.journal = self.new()
        self.serial = 1

    def new(self, max_bytes: int = 1 << 30) -> Journal:
        return Journal(
            self.root, "server:1", lambda kind, text: self.warned.append(text), max_bytes, self.disk, lambda: self.time
        )

    def append(self, *frames: bytes) -> bool:
        taken = self.journal.append([LoggedFrame("", frame) for frame in frames], self.serial)
        self.serial += len(frames)
        return taken is not None

    def frames(self) -> list[bytes]:
        damages: list[Damage] = []
        assert self.journal.path is not None
        found = [one.frame for one in read_frames(segments_in(self.journal.path), 0, damages)]
        assert damages == []
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    one = Place(tmp_path / "journals")
    yield one
    one.journal.close(keep=True)


def test_frames_are_in_its_files_when_append_returns_and_nobody_else_may_read_them(place: Place) -> None:
    assert place.append(b"one", b"two")
    assert place.append(b"three")
    assert place.frames() == [b"one", b"two", b"three"]
    path = place.journal.path
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(place.root.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}
    found = about(path)
    assert found is not None
    assert found.target == "server:1"


def test_segments_go_when_all_that_is_in_them_and_before_them_has_its_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 100)
    for number in range(10):
        assert place.append(b"x" * 90 + str(number).encode())
    assert place.journal.path is not None
    place.journal.answered([Answered(bytes(16), bytes(16), 5)], 6)
    assert [frame[-1:] for frame in place.frames()] == [b"5", b"6", b"7", b"8", b"9"]
    place.journal.answered([], 11)
    assert len(segments_in(place.journal.path)) == 1


def test_nothing_is_left_of_one_that_is_done_and_all_of_one_that_is_not(place: Place) -> None:
    place.append(b"one")
    assert waiting(place.root) == []
    place.journal.close(keep=False)
    assert list(place.root.iterdir()) == []
    place.journal = place.new()
    place.append(b"two")
    place.journal.close(keep=True)
    (path,) = waiting(place.root)
    assert not is_held(path)


def test_one_that_never_took_anything_has_no_folder(place: Place) -> None:
    place.journal.close(keep=True)
    assert not place.root.exists()


@pytest.mark.parametrize("error", [FULL, BROKEN, READ_ONLY])
@pytest.mark.parametrize("call", ["create", "write"])
def test_a_disk_that_takes_nothing_is_told_once_and_tried_again_later(place: Place, call: str, error: int) -> None:
    place.append(b"before")
    place.journal._segments.seal()  # type: ignore[union-attr]
    place.disk.errors[call] = error
    for _ in range(3):
        assert not place.append(b"in memory alone")
        place.time += RETRY_SECONDS
    assert place.journal.problem == "JOURNAL_UNWRITABLE"
    assert len(place.warned) == 1
    assert str(place.root) in place.warned[0]
    place.disk.errors.clear()
    assert place.append(b"after")
    assert place.frames() == [b"before", b"after"]


def test_a_write_that_takes_a_part_leaves_no_part_of_a_record(place: Place) -> None:
    place.append(b"before")
    place.disk.errors["write"] = FULL
    assert not place.append(b"cut")
    place.disk.errors.clear()
    assert not place.append(b"too soon")
    place.time += RETRY_SECONDS
    assert place.append(b"after")
    assert place.frames() == [b"before", b"after"]


def test_a_part_that_can_not_be_cut_off_ends_its_segment_and_costs_nothing_else(place: Place) -> None:
    place.append(b"before")
    place.disk.errors.update(write=BROKEN, cut=BROKEN)
    assert not place.append(b"cut")
    place.disk.errors.clear()
    place.time += RETRY_SECONDS
    assert place.append(b"after")
    damages: list[Damage] = []
    assert place.journal.path is not None
    found = [one.frame for one in read_frames(segments_in(place.journal.path), 0, damages)]
    assert found == [b"before", b"after"]
    assert [damage.lost_bytes > 0 for damage in damages] == [True]


@pytest.mark.parametrize("call", ["sync", "sync_folder"])
def test_a_sync_that_fails_is_no_promise_and_nothing_goes_behind_it(place: Place, call: str) -> None:
    place.append(b"perhaps")
    place.disk.errors[call] = BROKEN
    with pytest.raises(FailedPrecondition) as raised:
        place.journal.flush()
    assert raised.value.reason == "JOURNAL_UNWRITABLE"
    place.disk.errors.clear()
    # A second fsync that works says nothing of what the first one failed at.
    with pytest.raises(FailedPrecondition):
        place.journal.flush()
    place.time += RETRY_SECONDS
    assert place.append(b"surely")
    assert place.journal.path is not None
    assert len(segments_in(place.journal.path)) == 2
    # Once the server has what was in doubt, the rest is what counts.
    place.journal.answered([], 2)
    place.journal.flush()


def test_what_has_its_answer_needs_no_sync(place: Place) -> None:
    place.append(b"one")
    assert place.journal.wait_unsynced(0.0)
    place.journal.answered([Answered(bytes(16), bytes(16), 1)], 2)
    assert not place.journal.wait_unsynced(0.0)
    place.journal.sync()
    assert "sync" not in place.disk.calls
    place.append(b"two")
    place.journal.flush()
    assert (place.disk.calls.count("sync"), place.disk.calls.count("sync_folder")) == (1, 2)
    assert not place.journal.wait_unsynced(0.0)


def test_the_newest_find_no_place_in_one_that_is_full_until_answers_come(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 100)
    place.journal = place.new(max_bytes=1_000)
    taken = [place.append(b"x" * 100) for _ in range(20)]
    assert taken == sorted(taken, reverse=True)
    assert 0 < sum(taken) < 20
    assert place.journal.problem == "JOURNAL_FULL"
    place.journal.answered([], sum(taken) + 1)
    assert place.append(b"more")


def test_only_one_holds_a_folder_and_a_copy_without_its_lock_can_be_held(place: Place, tmp_path: Path) -> None:
    place.append(b"one")
    path = place.journal.path
    assert path is not None
    assert is_held(path)
    assert Folder.take(path) is None
    place.journal.close(keep=True)
    taken = Folder.take(path)
    assert taken is not None
    assert Folder.take(path) is None
    taken.release()
    (path / "lock").unlink()
    again = Folder.take(path)
    assert again is not None
    again.release()


def test_a_forked_child_lets_go_of_the_folder(place: Place) -> None:
    place.append(b"one")
    path = place.journal.path
    assert path is not None
    place.journal.forked()
    assert not is_held(path)
