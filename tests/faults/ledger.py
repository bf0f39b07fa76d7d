"""What writers were about to write, and what they were promised: on disk before anybody else knows.

A line an entry, `run writer sequence value level`, fsynced; one file for each writer. An entry is noted as `sent`
before it is handed over, and once more with the level that was acknowledged.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

SENT, DURABLE = "sent", "durable"
SUFFIX = ".ledger"


class Entry(NamedTuple):
    """One point of one writer. `writer` is its rank; `sequence` counts its points, and is their step."""

    run: str
    writer: int
    sequence: int
    value: float


class Ledger:
    """The ledger of one writer."""

    def __init__(self, folder: Path, run: str, writer: int) -> None:
        self._file = (folder / f"{run}-{writer}{SUFFIX}").open("a")
        self._lock = threading.Lock()

    def note(self, entries: Iterable[Entry], level: str) -> None:
        """On disk when it returns. From any thread."""
        lines = "".join(f"{run} {writer} {number} {value!r} {level}\n" for run, writer, number, value in entries)
        with self._lock:
            self._file.write(lines)
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Promises:
    """The ledgers in a folder, read: everything that was sent, and what of it was acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.sent: set[Entry] = set()
        self.durable: set[Entry] = set()
        for path in folder.glob(f"*{SUFFIX}"):
            for entry, level in _lines(path):
                (self.durable if level == DURABLE else self.sent).add(entry)


def sizes(folder: Path) -> dict[Path, int]:
    """How long the ledgers are, in bytes."""
    return {path: path.stat().st_size for path in folder.glob(f"*{SUFFIX}")}


def acknowledged_since(path: Path, size: int) -> bool:
    """Whether something was acknowledged after the ledger was so long."""
    with path.open("rb") as file:
        file.seek(size)
        return f" {DURABLE}\n".encode() in file.read()


def _lines(path: Path) -> Iterator[tuple[Entry, str]]:
    # A last line that was cut was not on disk yet.
    for line in path.read_text().split("\n")[:-1]:
        run, writer, sequence, value, level = line.split(" ")
        yield Entry(run, int(writer), int(sequence), float(value)), level
