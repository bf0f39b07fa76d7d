"""One call to the disk fails, each in its turn: what the journal took is there, and nothing else goes wrong by it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from fleetlog._journal import kept_files, segments
from fleetlog._journal.folders import SET_ASIDE, About, about
from fleetlog._journal.folders import segments as segments_in
from fleetlog._journal.journal import RETRY_SECONDS, Journal
from fleetlog._journal.kept_files import AboutFile, keep
from fleetlog._journal.reading import Damage, read_frames
from fleetlog._journal.records import Answered, LoggedFrame
from fleetlog._journal.set_aside import REASONS, SetAside
from fleetlog.errors import FailedPrecondition

from tests.client.journal.disks import BROKEN, FULL, NO_LINKS, FailingDisk, FailingOnce

ERRORS = pytest.mark.parametrize("error", [FULL, BROKEN])
ABOUT = AboutFile("default", "1" * 32, "2" * 32, "SUBJECT_RUN", None, "", 0, "model.pt", 1)
CHUNKS = [b"x" * 10, b"y" * 10]


class Life:
    """A process that logs, flushes and is answered, over several segments; the disk is asked again after failures."""

    def __init__(self, root: Path, disk: FailingDisk) -> None:
        self.taken: list[int] = []
        self.answered = 0
        self.time = 0.0
        self.journal = Journal(root, "server:1", lambda kind, text: None, 1 << 30, disk, lambda: self.time)
        self._serial = 0

    def log(self) -> None:
        self._serial += 1
        self.time += RETRY_SECONDS
        frame = LoggedFrame("", b"%03d" % self._serial + 90 * b"x")
        if self.journal.append([frame], self._serial) is not None:
            self.taken.append(self._serial)

    def flush(self) -> None:
        with suppress(FailedPrecondition):
            self.journal.flush()

    def answer(self, serial: int) -> None:
        self.answered = serial
        self.journal.answered([Answered(bytes(16), bytes(16), serial)], serial + 1)

    def live(self) -> None:
        for step in range(6):
            self.log()
            self.journal.note_experiment("default", f"experiment {step}", step)
            self.log()
            self.flush()
            if step % 3 == 2:
                self.answer(self._serial - 3)
        self.log()

    def found(self) -> list[int]:
        """The frames that its files have."""
        assert self.journal.path is not None
        damages: list[Damage] = []
        frames = [int(one.frame[:3]) for one in read_frames(segments_in(self.journal.path), 0, damages)]
        assert damages == []
        return frames


@ERRORS
def test_a_journal_has_all_that_it_took_whichever_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 300)
    well = Life(tmp_path / "well", disk := FailingDisk())
    well.live()
    well.journal.close(keep=True)
    calls = list(disk.calls)
    assert {"create", "write", "sync", "sync_folder", "remove"} <= set(calls)
    for number, call in enumerate(calls):
        life = Life(tmp_path / str(number), FailingOnce(number, error))
        life.live()
        life.log()
        life.journal.close(keep=True)
        found = [serial for serial in life.found() if serial > life.answered]
        assert found == [serial for serial in life.taken if serial > life.answered], call
        assert len(life.taken) >= 12, f"{call} failed once, and one frame is in memory alone for it"
        assert life.journal.problem == "", "the disk was asked again"


@ERRORS
def test_of_a_file_that_could_not_be_kept_nothing_is_left_and_it_can_be_kept_again(tmp_path: Path, error: int) -> None:
    def keep_in(folder: Path, disk: FailingDisk) -> None:
        folder.mkdir()
        keep(folder, ABOUT, 20, CHUNKS, disk)

    keep_in(tmp_path / "well", disk := FailingDisk())
    calls = disk.calls
    assert [calls.count(name) for name in ("create", "sync", "rename", "sync_folder")] == [2, 2, 1, 1]
    for number, call in enumerate(calls):
        folder = tmp_path / str(number)
        with pytest.raises(OSError, match=r"space|error"):
            keep_in(folder, FailingOnce(number, error))
        assert list(folder.iterdir()) == [], call
        kept = keep(folder, ABOUT, 20, CHUNKS)
        assert [one.path for one in kept_files.kept_files(folder)] == [kept.path]
        assert kept.path.read_bytes() == b"".join(CHUNKS)


def test_what_a_process_left_that_died_amid_keeping_a_file_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".00000001.json.new").write_text("{")
    kept = keep(tmp_path, ABOUT, 20, CHUNKS)
    assert list(kept_files.kept_files(tmp_path)) == [kept]


class Refused:
    """A journal of which all is set aside: two frames, a file that waited and a segment that is damaged."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.aside = path.with_name(path.name + SET_ASIDE)
        self.file = keep(path, ABOUT, 20, CHUNKS)
        self.damaged = path / "00000007.segment"
        self.damaged.write_bytes(b"torn")

    def set_aside(self, disk: FailingDisk) -> None:
        """As `fleetlog sync` does, which goes on with what is still there."""
        aside = SetAside(self.path, About("server:1", "host", 1, 2), disk)
        try:
            for frame in (b"first", b"second"):
                aside.add(LoggedFrame("", frame), {"frame": frame.decode()})
            if self.file.path.exists():
                aside.take_file(self.file, {"name": "model.pt"})
            aside.sync()
            if self.damaged.exists():
                aside.take_damaged(self.damaged)
        finally:
            aside.close()

    def frames(self) -> set[bytes]:
        """Frames in it that can be read; nothing is damaged."""
        damages: list[Damage] = []
        found = {one.frame for one in read_frames(segments_in(self.aside), 0, damages)}
        assert damages == []
        return found


@ERRORS
def test_what_is_set_aside_is_whole_there_or_still_where_it_was(tmp_path: Path, error: int) -> None:
    Refused(tmp_path / "well").set_aside(disk := FailingDisk())
    calls = disk.calls
    assert {"create", "append_to", "write", "sync", "link", "rename", "sync_folder"} <= set(calls)
    for number, call in enumerate(calls):
        one = Refused(tmp_path / str(number))
        with pytest.raises(OSError, match=r"space|error"):
            one.set_aside(FailingOnce(number, error))
        kept = list(kept_files.kept_files(one.path)) + list(
            kept_files.kept_files(one.aside) if one.aside.is_dir() else ()
        )
        assert {file.path.read_bytes() for file in kept} == {b"".join(CHUNKS)}, f"{number}: {call}"
        one.set_aside(FailingDisk())
        assert one.frames() == {b"first", b"second"}
        assert about(one.aside) == About("server:1", "host", 1, 2)
        reasons = [json.loads(line) for line in (one.aside / REASONS).read_text().splitlines()]
        assert {"name": "model.pt"} in reasons
        (file,) = kept_files.kept_files(one.aside)
        assert file.path.read_bytes() == b"".join(CHUNKS)
        assert [path.read_bytes() for path in one.aside.glob("*.damaged")] == [b"torn"]
        assert not one.damaged.exists()


def test_a_file_that_waits_is_copied_where_there_are_no_links(tmp_path: Path) -> None:
    one = Refused(tmp_path / "journal")
    disk = FailingDisk()
    disk.errors["link"] = NO_LINKS
    one.set_aside(disk)
    (file,) = kept_files.kept_files(one.aside)
    assert file.path.read_bytes() == b"".join(CHUNKS)
    assert list(kept_files.kept_files(one.path)) == []
