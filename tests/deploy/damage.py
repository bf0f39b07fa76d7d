"""What a power loss, a full disk or a hand does to the files of an embedded warehouse."""

from __future__ import annotations

import shutil
from pathlib import Path


def parts_of(warehouse: Path, table: str) -> list[Path]:
    """The directories of the table's parts; the one that holds the last block comes last."""
    folder = (warehouse / "data" / "default" / table).resolve()
    return sorted(folder.glob("all_*"), key=lambda part: (int(part.name.split("_")[2]), -int(part.name.split("_")[1])))


def remove(part: Path) -> None:
    """Its directory is gone."""
    shutil.rmtree(part)


def empty(part: Path) -> None:
    """All its files are there, without a byte: their names were on disk, and what was written was not."""
    for file in part.iterdir():
        file.write_bytes(b"")


def cut(part: Path) -> None:
    """The rows are cut short."""
    for file in part.glob("*.bin"):
        file.write_bytes(file.read_bytes()[:5])
