"""One call to the disk fails, each in its turn: what the journal took is there, and nothing else goes wrong by it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from fleetlog._journal import kept_files, segments
from fleetlog._journal.folders import segments as segments_in
from fleetlog._journal.journal import RETRY_SECONDS, Journal
from fleetlog._journal.kept_files import AboutFile, keep
from fleetlog._journal.reading import Damage, read_frames
from fleetlog._journal.records import Answered, LoggedFrame
from fleetlog.errors import FailedPrecondition

from tests.client.journal.disks import BROKEN, FULL, FailingDisk, FailingOnce

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
    (tmp_path / ".00000001.new").write_text("{")
    kept = keep(tmp_path, ABOUT, 20, CHUNKS)
    assert list(kept_files.kept_files(tmp_path)) == [kept]
