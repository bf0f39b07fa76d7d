"""What is said of a source on a command line."""

from __future__ import annotations

from pathlib import Path

from fleetlog.importers.source import SourceError


def existing(place: str) -> Path:
    """The folder or file at a place. SourceError: it is not there."""
    path = Path(place).expanduser()
    if not path.exists():
        raise SourceError(f"{place}: it is not there; give a folder or a file")
    return path


def is_set(option: object) -> bool:
    """True for an option that is given as one that holds: without a value, or as true, yes or 1."""
    return option is True or str(option).lower() in ("true", "yes", "1")


def whole_number(option: object, name: str) -> int:
    """The number of an option. SourceError: it is none, or below 1."""
    try:
        number = int(str(option))
    except ValueError:
        number = 0
    if number < 1:
        raise SourceError(f"{name}={option}: give a whole number from 1 on")
    return number
