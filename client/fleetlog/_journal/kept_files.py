"""Files that wait for a server, kept in a journal's folder as they were when they were logged.

NUMBER.file   its bytes
NUMBER.json   what it is of; it is written last, and removed first: without it there is no kept file
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fleetlog._journal.disk import Disk
from fleetlog._journal.segments import MIN_FREE_BYTES

FILE, ABOUT_FILE = ".file", ".json"


@dataclass(frozen=True)
class AboutFile:
    """Whose file it is. Ids are hexadecimal."""

    namespace: str
    run_id: str
    writer_id: str
    subject: str
    """What `run_id` names: the name of a `fleetlog.v1.Subject`."""
    rank: int | None
    experiment: str
    """Name of the run's experiment; "" where the number is known, or there is none."""
    experiment_id: int | None
    name: str
    """The artifact's path within the run."""
    logged_millis: int


@dataclass(frozen=True)
class KeptFile:
    """A file that waits."""

    path: Path
    """Its bytes."""
    about: AboutFile

    @property
    def size(self) -> int:
        """Bytes. OSError."""
        return self.path.stat().st_size

    def remove(self) -> None:
        """It waits no longer. OSError."""
        self.path.with_suffix(ABOUT_FILE).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def move(self, folder: Path) -> None:
        """Keep it in another journal. OSError."""
        if folder == self.path.parent:
            return
        disk = Disk()
        target, file = _free_place(folder, disk)
        os.close(file)
        shutil.move(self.path, target)
        _write_about(target, self.about, disk)
        self.remove()


def keep(
    folder: Path, about: AboutFile, size: int, chunks: Iterable[bytes], disk: Disk | None = None
) -> KeptFile:  # fmt: skip
    """A file of so many bytes, on the disk when this returns. OSError: nothing of it is left."""
    disk = disk or Disk()
    if shutil.disk_usage(folder).free - size < MIN_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    target, file = _free_place(folder, disk)
    try:
        _fill(file, chunks, disk)
        _write_about(target, about, disk)
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise
    return KeptFile(target, about)


def kept_files(folder: Path) -> Iterator[KeptFile]:
    """The files that wait in a journal's folder, oldest first; none whose description can't be read. OSError."""
    found = [one for one in folder.iterdir() if one.suffix == FILE and one.stem.isdecimal()]
    for path in sorted(found, key=lambda one: int(one.stem)):
        with suppress(FileNotFoundError, ValueError, TypeError):
            yield KeptFile(path, AboutFile(**json.loads(path.with_suffix(ABOUT_FILE).read_text())))


def kept_bytes(folder: Path) -> int:
    """Bytes of the files that wait there. OSError."""
    return sum(path.stat().st_size for path in folder.glob(f"*{FILE}"))


def _free_place(folder: Path, disk: Disk) -> tuple[Path, int]:
    """A path for the next file, which nothing had, and the file's descriptor."""
    number = max((int(one.stem) for one in folder.glob(f"*{FILE}") if one.stem.isdecimal()), default=0)
    while True:
        number += 1
        path = folder / f"{number:08d}{FILE}"
        with suppress(FileExistsError):
            return path, disk.create(path)


def _fill(file: int, chunks: Iterable[bytes], disk: Disk) -> None:
    """Write and close a file, which is on the disk when this returns."""
    try:
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                left = left[disk.write(file, left) :]
        disk.sync(file)
    finally:
        os.close(file)


def _write_about(target: Path, about: AboutFile, disk: Disk) -> None:
    """Write what a file is of. Both names are on the disk when this returns."""
    hidden = target.with_name(f".{target.stem}.new")
    # A process that died here may have left one.
    hidden.unlink(missing_ok=True)
    named = target.with_suffix(ABOUT_FILE)
    try:
        _fill(disk.create(hidden), [json.dumps(asdict(about)).encode()], disk)
        disk.rename(hidden, named)
        disk.sync_folder(target.parent)
    except BaseException:
        for path in (named, hidden):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise
