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
from fleetlog._journal.whole_files import fill, write_whole

FILE, ABOUT_FILE = ".file", ".json"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK)
"""Errors of a file system without links, or of two of them."""
_CHUNK_BYTES = 1 << 20


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

    def move(self, folder: Path, disk: Disk | None = None) -> None:
        """Keep it in another journal. OSError: it is where it was."""
        if folder == self.path.parent:
            return
        disk = disk or Disk()
        target = self._linked(folder, disk)
        try:
            _write_about(target, self.about, disk)
        except BaseException:
            with suppress(OSError):
                target.unlink()
            raise
        # Not before it is whole there: who ends between the two has it twice, which is harmless.
        self.remove()

    def _linked(self, folder: Path, disk: Disk) -> Path:
        """Its bytes under another name in the folder."""
        target, file = _free_place(folder, disk)
        try:
            os.close(file)
            hidden = target.with_name(f".{target.name}.new")
            hidden.unlink(missing_ok=True)
            try:
                disk.link(self.path, hidden)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                _copy(self.path, hidden, disk)
            disk.rename(hidden, target)
        except BaseException:
            with suppress(OSError):
                target.unlink()
            raise
        return target


def keep(
    folder: Path, about: AboutFile, size: int, chunks: Iterable[bytes], disk: Disk | None = None
) -> KeptFile:  # fmt: skip
    """A file of so many bytes, on the disk when this returns. OSError: nothing of it is left."""
    disk = disk or Disk()
    if shutil.disk_usage(folder).free - size < MIN_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    target, file = _free_place(folder, disk)
    try:
        fill(file, chunks, disk)
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


def _copy(path: Path, target: Path, disk: Disk) -> None:
    """Copy a file; it is on the disk when this returns."""
    with path.open("rb") as opened:
        fill(disk.create(target), iter(lambda: opened.read(_CHUNK_BYTES), b""), disk)


def _write_about(target: Path, about: AboutFile, disk: Disk) -> None:
    """Write what a file is of. Both names are on the disk when this returns."""
    write_whole(target.with_suffix(ABOUT_FILE), json.dumps(asdict(about)).encode(), disk)
