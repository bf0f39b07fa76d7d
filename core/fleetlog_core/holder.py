"""Who holds a file or directory that one process at a time may open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def take(path: Path, what: str, error: type[Exception]) -> int:
    """Hold the lock file at `path`, with this process's id in it; the descriptor holds it until it is closed.

    `error` with the holder's process id when another process has it. The kernel lets go when a process dies, so
    a file that was left behind holds nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(file, 32).decode(errors="replace").strip()
        os.close(file)
        raise error(f"{what} is held by process {holder or 'unknown'}: stop it, or use its port") from None
    os.ftruncate(file, 0)
    os.pwrite(file, str(os.getpid()).encode(), 0)
    return file
