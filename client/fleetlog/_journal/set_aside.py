"""What the server refuses of a journal, and what can't be read of it: kept beside it, with the reasons.

NAME.set-aside is a journal itself, so that `fleetlog sync NAME.set-aside` tries again once the cause is mended. A line
of reasons.jsonl tells of each frame in it; damaged segments are in it as they were.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fleetlog._journal.disk import Disk
from fleetlog._journal.folders import ABOUT, SET_ASIDE, About, number_of, segment_path, segments
from fleetlog._journal.kept_files import KeptFile, kept_files
from fleetlog._journal.records import MAGIC, LoggedFrame, encode
from fleetlog._journal.whole_files import write_whole

REASONS = "reasons.jsonl"
DAMAGED = ".damaged"


class SetAside:
    """The place beside one journal; made with the first thing that goes there. OSError."""

    def __init__(self, journal: Path, about: About | None, disk: Disk | None = None) -> None:
        self.path = journal if journal.name.endswith(SET_ASIDE) else journal.with_name(journal.name + SET_ASIDE)
        self._about = about
        self._disk = disk or Disk()
        self._file: int | None = None
        self._reasons: int | None = None

    def add(self, frame: LoggedFrame, reason: dict[str, Any]) -> None:
        """Keep a frame, with why. OSError: nothing of it is there."""
        file, reasons = self._opened()
        with self._as_before(file, reasons):
            self._write(file, encode(frame))
            self._write(reasons, json.dumps(reason).encode() + b"\n")

    def take_damaged(self, segment: Path) -> None:
        """Keep a segment that is damaged, as it is. OSError: it is where it was."""
        self._folder()
        target = self.path / (segment.name + DAMAGED)
        number = 1
        while target.exists():
            number += 1
            target = self.path / f"{segment.name}.{number}{DAMAGED}"
        self._disk.rename(segment, target)

    def take_file(self, file: KeptFile, reason: dict[str, Any]) -> None:
        """Keep a file that waited, with why. OSError: it is where it was."""
        _, reasons = self._opened()
        with self._as_before(reasons):
            self._write(reasons, json.dumps(reason).encode() + b"\n")
            file.move(self.path, self._disk)

    def kept(self) -> list[Path]:
        """The segments in it, files that waited, and what was damaged."""
        if not self.path.is_dir():
            return []
        files = [file.path for file in kept_files(self.path)]
        return [*segments(self.path), *files, *self.path.glob(f"*{DAMAGED}")]

    def sync(self) -> None:
        """It is on the disk when it returns: what it was taken from may go."""
        for file in (self._file, self._reasons):
            if file is not None:
                self._disk.sync(file)
        if self.path.is_dir():
            self._disk.sync_folder(self.path)
            self._disk.sync_folder(self.path.parent)

    def close(self) -> None:
        """Close the files."""
        for file in (self._file, self._reasons):
            if file is not None:
                os.close(file)
        self._file = self._reasons = None

    def _folder(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        if self._about is not None and not (self.path / ABOUT).exists():
            write_whole(self.path / ABOUT, json.dumps(asdict(self._about)).encode(), self._disk)

    def _opened(self) -> tuple[int, int]:
        if self._file is None or self._reasons is None:
            self._folder()
            number = max(map(number_of, segments(self.path)), default=0) + 1
            path, files = segment_path(self.path, number), list[int]()
            try:
                files.append(self._disk.create(path))
                self._write(files[0], MAGIC)
                files.append(self._disk.append_to(self.path / REASONS))
            except BaseException:
                for file in files:
                    os.close(file)
                    # One without its first bytes would count as damaged.
                    with suppress(OSError):
                        path.unlink()
                raise
            self._file, self._reasons = files
        return self._file, self._reasons

    @contextmanager
    def _as_before(self, *files: int) -> Iterator[None]:
        """Cut what was written off again where it fails: a half record would count as damaged."""
        sizes = [os.fstat(file).st_size for file in files]
        try:
            yield
        except BaseException:
            for file, size in zip(files, sizes, strict=True):
                with suppress(OSError):
                    self._disk.cut(file, size)
            raise

    def _write(self, file: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._disk.write(file, left) :]
