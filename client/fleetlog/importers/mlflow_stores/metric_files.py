"""Metric files of MLflow's file store: a line a point, "time value step", of old versions without a step, of new ones
also with a dataset's name and digest behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fleetlog.importers.source import Points, Unread

BLOCK_BYTES = 8_000_000
_LINE_CHARACTERS = 60
_INT64 = 1 << 63


def read_metric(path: Path, key: str, unread: list[Unread]) -> Iterator[Points]:
    """Yields the points of a file in order; lines that can't be read go to `unread`. OSError."""
    offset, rest = 0, b""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            whole, newline, new_rest = (rest + block).rpartition(b"\n")
            data = whole + newline
            if data:
                yield from _points(data, key, path, offset, unread)
                offset += len(data)
            rest = new_rest
    if rest.strip():
        unread.append(Unread(str(path), f"the last line is cut short: {_shown(rest)}", offset))


def _points(data: bytes, key: str, path: Path, offset: int, unread: list[Unread]) -> Iterator[Points]:
    lines = data.count(b"\n")
    words = data.split()
    if len(words) == 3 * lines and data.count(b" ") == 2 * lines:
        try:
            yield Points(
                key,
                np.array(list(map(int, words[2::3])), dtype=np.int64),
                np.array(list(map(float, words[1::3])), dtype=np.float64),
                np.array(list(map(int, words[::3])), dtype=np.int64),
            )
            return
        except (ValueError, OverflowError):
            pass
    found = list[tuple[int, float, int]]()
    for line in data.splitlines(keepends=True):
        point = _point(line)
        if point is not None:
            found.append(point)
        elif line.strip():
            unread.append(Unread(str(path), f"no point is in the line {_shown(line)}", offset))
        offset += len(line)
    if found:
        steps, values, times = zip(*found, strict=True)
        yield Points(key, np.array(steps, np.int64), np.array(values, np.float64), np.array(times, np.int64))


def _point(line: bytes) -> tuple[int, float, int] | None:
    """Step, value and time. A dataset's name may have blanks in it."""
    words = line.split()
    try:
        if len(words) == 2:
            step, value, time = 0, float(words[1]), int(words[0])
        elif len(words) == 3 or len(words) >= 5:
            step, value, time = int(words[2]), float(words[1]), int(words[0])
        else:
            return None
    except ValueError:
        return None
    return (step, value, time) if -_INT64 <= step < _INT64 and -_INT64 <= time < _INT64 else None


def _shown(line: bytes) -> str:
    return repr(line[:_LINE_CHARACTERS].decode(errors="backslashreplace"))
