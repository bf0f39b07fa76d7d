"""A data directory that is for nobody else on the machine."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

DIRECTORY_MODE, FILE_MODE = 0o700, 0o600
UMASK = 0o077
"""Of a server's process: what it makes is its own."""


def make_private(data: Path) -> str:
    """Make the directory, and whatever is there already private; why it can't be, or "". OSError when it can't be made.

    One that can't be made private is used all the same: on a volume that belongs to somebody else, as in containers,
    the mode may be none of ours.
    """
    data.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
    try:
        for path in _paths(data):
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = mode & (DIRECTORY_MODE if path.is_dir() else FILE_MODE)
            if mode != wanted:
                path.chmod(wanted)
    except OSError as error:
        return (
            f"others on this machine may read {data}, since {error.filename} can't be made private: {error.strerror};"
            f" give it to this user and `chmod -R go= {data}`, or give another --data"
        )
    return ""


def _paths(data: Path) -> Iterator[Path]:
    """The directory, what is in it, and the files of its directories. Below these nobody else comes any further."""
    yield data
    for path in data.iterdir():
        # A link leads out of the directory, to what may be for others too.
        if path.is_symlink():
            continue
        yield path
        if path.is_dir():
            yield from (file for file in path.iterdir() if file.is_file() and not file.is_symlink())
