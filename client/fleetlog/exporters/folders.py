"""Folders that exports are written to."""

from __future__ import annotations

from pathlib import Path

from fleetlog_core.printable import printable

from fleetlog.errors import FailedPrecondition


def new_folder(folder: Path) -> Path:
    """Make a folder to write to. FailedPrecondition: there is something in it, or it can't be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = next(folder.iterdir(), None) is None
    except OSError as error:
        raise FailedPrecondition("TARGET_NOT_WRITTEN", f"{printable(str(folder))}: {error.strerror}") from None
    if not is_empty:
        raise FailedPrecondition(
            "TARGET_NOT_EMPTY", f"{printable(str(folder))} has something in it; give a folder that is new or empty"
        )
    return folder
