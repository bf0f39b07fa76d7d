"""Folders of journals: one for each process and server, locked for as long as the process lives.

    new        made and locked under a name that nobody looks for, then renamed: it is never seen without its lock
    living     its lock is held
    waiting    nobody holds its lock: what is in it can be delivered by whoever takes it
    set aside  beside it, as NAME.set-aside: what can't be delivered, with the reasons

The lock is the kernel's (flock): it ends with the process however that ends. A forked child has to close its copy.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LOCK, ABOUT = "lock", "journal.json"
SEGMENT = ".segment"
SET_ASIDE = ".set-aside"
_NEW = ".new"


@dataclass(frozen=True)
class About:
    """What a journal says of itself: no secrets."""

    target: str
    host: str
    pid: int
    started_millis: int


class Folder:
    """A folder whose lock is held by this process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock = lock

    @classmethod
    def create(cls, root: Path, target: str) -> Folder:
        """A new one below `root`, which is made when it is not there. OSError."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = About(target, socket.gethostname(), os.getpid(), time.time_ns() // 1_000_000)
        # In the order of their names they are delivered: one process may have several, one behind the other.
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{about.pid}-{secrets.token_hex(4)}"
        hidden = root / f".{name}{_NEW}"
        hidden.mkdir(mode=0o700)
        lock = -1
        try:
            lock = os.open(hidden / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            _lock(lock)
            file = os.open(hidden / ABOUT, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as opened:
                json.dump(asdict(about), opened)
            path = hidden.rename(root / name)
        except BaseException:
            if lock >= 0:
                os.close(lock)
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        return cls(path, lock)

    @classmethod
    def take(cls, path: Path) -> Folder | None:
        """The folder of a process that is dead; None while somebody holds it. OSError: it is gone, or another's."""
        lock = _opened_lock(path)
        try:
            _lock(lock)
        except OSError as error:
            os.close(lock)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            raise
        return cls(path, lock)

    def release(self) -> None:
        """Let go of the lock; the files stay."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def remove(self) -> None:
        """Remove the folder with what is in it. OSError."""
        shutil.rmtree(self.path)
        self.release()


def _lock(file: int) -> None:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _opened_lock(path: Path) -> int:
    """The lock of a folder; one that was copied without it gets a new one, where it can be written to."""
    try:
        return os.open(path / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        if not path.is_dir():
            raise
        return os.open(path / LOCK, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def is_held(path: Path) -> bool:
    """True if a living process holds the folder. OSError."""
    lock = _opened_lock(path)
    try:
        # Shared: two that look are in nobody's way.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return True
        raise
    finally:
        os.close(lock)
    return False


def about(path: Path) -> About | None:
    """What the journal in a folder says of itself; None when that can't be read."""
    with suppress(OSError, ValueError, TypeError):
        found = json.loads((path / ABOUT).read_text())
        target, host = found["target"], found["host"]
        if isinstance(target, str) and isinstance(host, str):
            return About(target, host, int(found["pid"]), int(found["started_millis"]))
    return None


def number_of(segment: Path) -> int:
    """The number of a segment. ValueError: it is none."""
    return int(segment.name.removesuffix(SEGMENT))


def segments(path: Path) -> list[Path]:
    """The segments in a folder, oldest first. OSError."""
    found = (one for one in path.iterdir() if one.name.endswith(SEGMENT) and one.name[: -len(SEGMENT)].isdecimal())
    return sorted(found, key=number_of)


def segment_path(folder: Path, number: int) -> Path:
    """Where the segment of a number is."""
    return folder / f"{number:08d}{SEGMENT}"


def is_journal(path: Path) -> bool:
    """True if a folder is the journal of one process; False for one that can't be looked into."""
    try:
        return (path / ABOUT).is_file() or bool(segments(path))
    except OSError:
        return False


def below(root: Path) -> Iterator[Path]:
    """Folders of journals in `root`, oldest first; none of what was set aside. OSError, unless it is not there."""
    paths: list[Path] = []
    with suppress(FileNotFoundError):
        paths = sorted(root.iterdir())
    for path in paths:
        if not path.name.startswith(".") and not path.name.endswith(SET_ASIDE) and path.is_dir() and is_journal(path):
            yield path


def waiting(root: Path) -> list[Path]:
    """Journals in `root` that nobody holds and that have segments. What can't be looked at is left out."""
    found = []
    with suppress(OSError):
        for path in below(root):
            with suppress(OSError):
                if segments(path) and not is_held(path):
                    found.append(path)
    return found
