"""Lines of output as files: each is written again while it grows, and closed when it is large; the oldest go. Pure.

The first HEAD_BYTES stay whatever comes: how a run began is asked for as often as how it ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from fleetlog_core.printable import printable

from fleetlog._capture.masking import masked
from fleetlog._capture.terminal import Line, Terminal

PART_BYTES = 64 * 1024
"""A part that is larger when it is written is closed."""
MAX_PART_BYTES = 512 * 1024
HEAD_BYTES = 1024 * 1024
MAX_BYTES = 16 * 1024 * 1024
"""Bytes of one process's output that a run keeps."""
QUICK_SECONDS = 5.0
"""Shortest time between two writes of a part, when it grew by an eighth."""
SLOW_SECONDS = 60.0
"""Longest time until something new is written."""
_HEAD_CHARACTERS = 32
"""Characters of the time and the stream before each line."""


class ConsoleParts:
    """The output of one process to one run. Times are of any clock that goes on evenly."""

    def __init__(self, folder: str, now: float) -> None:
        self._folder = folder
        self._terminals: dict[str, Terminal] = {}
        self._lines: list[tuple[int, bytes]] = []
        """Lines of the part that is being written, with their times."""
        self._bytes = 0
        self._number = 1
        self._head_bytes = 0
        self._kept: deque[tuple[str, int]] = deque()
        """Closed parts behind the head, with their bytes, the oldest first."""
        self._kept_bytes = 0
        self._is_new = False
        """True if anything came since the last write."""
        self._new_bytes = 0
        """Bytes of lines that came since then, about. A bar that is drawn again is no new line."""
        self._written_at = now

    def feed(self, stream: str, text: str, millis: int) -> None:
        """Take what was written to a stream."""
        terminal = self._terminals.setdefault(stream, Terminal())
        self._is_new = True
        if count := text.count("\n"):
            self._new_bytes += len(text) + _HEAD_CHARACTERS * count
        self._add((stream, line) for line in terminal.feed(text, millis))

    def is_due(self, now: float) -> bool:
        """True if the part should be written now."""
        age = now - self._written_at
        if not self._is_new or age < QUICK_SECONDS:
            return False
        return age >= SLOW_SECONDS or 8 * self._new_bytes >= max(1, self._bytes)

    def write(self, now: float, *, is_last: bool = False) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Files to keep, by path, and paths to remove. Nothing, when nothing was written since the last time."""
        if not self._is_new:
            return [], []
        if is_last:
            self._add((stream, line) for stream, terminal in self._terminals.items() for line in terminal.close())
        # Lines of one stream close later than those of the other.
        self._lines.sort(key=lambda line: line[0])
        self._is_new, self._new_bytes, self._written_at = False, 0, now
        files: list[tuple[str, bytes]] = []
        while self._bytes > MAX_PART_BYTES:
            files.append(self._closed(MAX_PART_BYTES))
        if self._bytes > PART_BYTES:
            files.append(self._closed(self._bytes))
        shown = sorted([*self._lines, *self._open_lines()], key=lambda line: line[0])
        if shown:
            files.append((self._path(self._number), _joined(shown)))
        return files, self._removed()

    def _closed(self, most_bytes: int) -> tuple[str, bytes]:
        """The part, which is closed; what it has no room for begins the next one."""
        count = size = 0
        while count < len(self._lines) and (not count or size + len(self._lines[count][1]) <= most_bytes):
            size += len(self._lines[count][1])
            count += 1
        path, content = self._path(self._number), _joined(self._lines[:count])
        self._lines = self._lines[count:]
        self._bytes -= size
        self._number += 1
        if self._head_bytes < HEAD_BYTES:
            self._head_bytes += size
        else:
            self._kept.append((path, size))
            self._kept_bytes += size
        return path, content

    def _removed(self) -> list[str]:
        removed = []
        while self._kept and self._kept_bytes > MAX_BYTES - HEAD_BYTES:
            path, size = self._kept.popleft()
            self._kept_bytes -= size
            removed.append(path)
        return removed

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:05d}.log"

    def _add(self, lines: Iterable[tuple[str, Line]]) -> None:
        for stream, line in lines:
            encoded = _encoded(stream, line)
            self._lines.append((line.millis, encoded))
            self._bytes += len(encoded)

    def _open_lines(self) -> list[tuple[int, bytes]]:
        return [
            (line.millis, _encoded(stream, line))
            for stream, terminal in self._terminals.items()
            for line in terminal.open_lines()
        ]


def _joined(lines: list[tuple[int, bytes]]) -> bytes:
    """The lines, without what looks like a secret: of all together, since a key may have many."""
    content = b"".join([content for _, content in lines])
    return masked(content.decode()).encode()


def _encoded(stream: str, line: Line) -> bytes:
    text = line.text
    if not (text.isascii() and text.isprintable()):
        text = printable(text.expandtabs())
    seconds, millis = divmod(line.millis, 1000)
    return f"{_second(seconds)}.{millis:03d}Z {stream} {text}".rstrip().encode("utf-8", "backslashreplace") + b"\n"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
