"""The files below a folder, and what stands there that is not kept.

Links are followed only to files of the same folder: one that leads out of it could bring in what nobody meant to
share, and one to a folder could come back to where it stands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleetlog._files.local_files import kind_of


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file, and its path relative to the folder, with forward slashes."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is not kept, and why."""

    name: str
    why: str


def walk(folder: Path) -> Iterator[TreeFile | Skipped]:
    """Everything below a folder, in order. Never raises: what can't be read is skipped."""
    root = os.path.realpath(folder)
    levels = [_entries(str(folder), "")]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
        elif isinstance(found, Skipped):
            yield found
        else:
            entry, name = found
            try:
                if entry.is_symlink():
                    yield _linked(entry.path, name, root)
                elif entry.is_dir(follow_symlinks=False):
                    levels.append(_entries(entry.path, f"{name}/"))
                elif entry.is_file(follow_symlinks=False):
                    yield TreeFile(Path(entry.path), name)
                else:
                    yield Skipped(name, f"is {kind_of(entry.stat(follow_symlinks=False).st_mode)}")
            except OSError as error:
                yield Skipped(name, error.strerror or str(error))


def _entries(folder: str, prefix: str) -> Iterator[tuple[os.DirEntry[str], str] | Skipped]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield Skipped(prefix or folder, error.strerror or str(error))
        return
    for entry in entries:
        yield entry, prefix + entry.name


def _linked(path: str, name: str, root: str) -> TreeFile | Skipped:
    try:
        real = os.path.realpath(path, strict=True)
    except OSError as error:
        return Skipped(name, f"is a link that leads nowhere ({error.strerror})")
    if Path(real).is_dir():
        return Skipped(name, "is a link to a folder: log that folder by itself")
    if not Path(real).is_relative_to(root):
        return Skipped(name, "is a link out of the folder: log what it links to by itself")
    return TreeFile(Path(real), name)
