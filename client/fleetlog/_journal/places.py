"""Where journals are, and what the environment says of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from fleetlog_core.errors import InvalidArgument, shown

MAX_BYTES = 10 * 1024**3
"""Bytes that the journal of one process may take, unless $FLEETLOG_JOURNAL_BYTES says otherwise."""
MIN_BYTES = 16 * 1024**2
OFF = ("off", "0", "false", "no", "none")
MODES = ("online", "offline")


def journal_root(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of this user's journals: $FLEETLOG_JOURNAL, or a folder of the user's state. None: they are off.

    Off is also where a lock can't say which process is alive (Windows), and where the user has no home.
    """
    given = environment.get("FLEETLOG_JOURNAL", "").strip()
    if given.lower() in OFF or sys.platform == "win32":
        return None
    if given:
        return Path(given).expanduser().absolute()
    if state := environment.get("XDG_STATE_HOME", ""):
        return Path(state) / "fleetlog" / "journal"
    home = Path(environment.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111
    if not home.is_absolute():
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "fleetlog" / "journal"
    return home / ".local" / "state" / "fleetlog" / "journal"


def journal_bytes(environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that one process's journal may take: $FLEETLOG_JOURNAL_BYTES. InvalidArgument."""
    given = environment.get("FLEETLOG_JOURNAL_BYTES", "").strip()
    if not given:
        return MAX_BYTES
    if not given.isdecimal() or int(given) < MIN_BYTES:
        raise InvalidArgument.of_field(
            "ARGUMENT_INVALID", "FLEETLOG_JOURNAL_BYTES",
            f"{shown(given)} is no number of bytes from {MIN_BYTES:,}; give one, or leave it unset for {MAX_BYTES:,}",
        )  # fmt: skip
    return int(given)


def is_offline(environment: Mapping[str, str] = os.environ) -> bool:
    """True if $FLEETLOG_MODE says that no server is to be tried. InvalidArgument for a mode that there is not."""
    given = environment.get("FLEETLOG_MODE", "").strip().lower() or MODES[0]
    if given not in MODES:
        raise InvalidArgument.of_field(
            "ARGUMENT_INVALID", "FLEETLOG_MODE", f"{shown(given)} is no mode; give {' or '.join(MODES)}"
        )
    return given == "offline"
