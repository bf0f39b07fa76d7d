"""Files that are there whole or not at all, whichever call to the disk fails and whenever the process ends."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fleetlog._journal.disk import Disk


def fill(file: int, chunks: Iterable[bytes], disk: Disk) -> None:
    """Write and close a file, which is on the disk when this returns. OSError."""
    try:
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                left = left[disk.write(file, left) :]
        disk.sync(file)
    finally:
        os.close(file)


def write_whole(path: Path, data: bytes, disk: Disk) -> None:
    """Write a file; it and its name are on the disk when this returns. OSError: nothing of it is left."""
    hidden = path.with_name(f".{path.name}.new")
    # A process that died here may have left one.
    hidden.unlink(missing_ok=True)
    try:
        fill(disk.create(hidden), [data], disk)
        disk.rename(hidden, path)
        disk.sync_folder(path.parent)
    except BaseException:
        for one in (path, hidden):
            with suppress(OSError):
                one.unlink(missing_ok=True)
        raise
