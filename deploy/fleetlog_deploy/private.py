"""A data directory that is for nobody else on the machine."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

DIRECTORY_MODE, FILE_MODE = 0o700, 0o600
UMASK = 0o077
"""umask of a server's process: files and folders that it makes are its user's alone."""


def _all_begin(beginning: str) -> Callable[[list[str]], bool]:
    return lambda names: bool(names) and all(name.startswith(beginning) for name in names)


_OURS: Mapping[str, Callable[[list[str]], bool]] = {
    "log": _all_begin("events.sqlite"),
    "logs": _all_begin("fleetlog.log"),
    "objects": lambda names: ".uploads" in names,
    "warehouse": lambda names: "metadata" in names,
}
"""Directories of a server, and how each is known by what is in it: /var has a `log` too, which is everybody's."""
_FILES = ("token.key", "webhooks.key", "admin.token", "warehouse.lock")


def make_private(data: Path) -> str:
    """Make the directory, and what a server left in it, private; why it can't be, or "". OSError: it can't be made.

    What belongs to no server is left as it is, and so is a directory with anything of the kind in it: somebody may have
    given a home, or /tmp. One that can't be made private is used all the same: on a volume that belongs to somebody
    else, as in containers, the mode may be none of ours.
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
    """What is to be private. Below a private directory nobody else comes any further, whatever the modes there."""
    ours = [path for path in data.iterdir() if _is_ours(path)]
    if len(ours) == len(list(data.iterdir())):
        yield data
    for path in ours:
        yield path
        if path.is_dir():
            yield from (file for file in path.iterdir() if file.is_file() and not file.is_symlink())


def _is_ours(path: Path) -> bool:
    # A link leads out of the directory, to what may be for others too.
    if path.is_symlink():
        return False
    if not path.is_dir():
        return path.name in _FILES
    known = _OURS.get(path.name)
    return known is not None and known([below.name for below in path.iterdir()])
