"""Which blocks a table has. Pure.

Each insert adds one block with a number of its own, and a part holds a range of them. Merges and mutations keep the
range of what they replace, so what a table once covered it covers for good, whatever parts it is in; a part that is
gone leaves a hole. A number of a block that was never kept (a repeated insert) is a hole too, until a merge closes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Range = tuple[int, int]
"""The first and the last block, both in it."""
Blocks = Mapping[str, tuple[Range, ...]]
"""The ranges of each table: in order, none touching the next."""


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Ranges of these blocks, as few as there can be, in order."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def lost(before: Blocks, now: Blocks) -> tuple[str, ...]:
    """Tables that lack blocks that they had before, in order."""
    return tuple(sorted(table for table, ranges in before.items() if not _covers(now.get(table, ()), ranges)))


def grown(before: Blocks, now: Blocks) -> tuple[str, ...]:
    """Tables with blocks after the last one that they had before, in order."""
    ends = {table: ranges[-1][1] for table, ranges in before.items() if ranges}
    return tuple(sorted(table for table, ranges in now.items() if ranges and ranges[-1][1] > ends.get(table, -1)))


def after(before: Blocks, found: Blocks) -> Blocks:
    """Ranges in `found` that end after the last block that each table had before."""
    ends = {table: ranges[-1][1] for table, ranges in before.items() if ranges}
    return {
        table: tuple(found_range for found_range in ranges if found_range[1] > ends.get(table, -1))
        for table, ranges in found.items()
    }


def dumped(blocks: Blocks) -> str:
    """As text."""
    return json.dumps(blocks, separators=(",", ":"), sort_keys=True)


def parsed(text: str) -> Blocks:
    """What `dumped` made. ValueError when it did not."""
    found: Any = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("blocks are an object")
    try:
        return {str(table): tuple((int(first), int(last)) for first, last in ranges) for table, ranges in found.items()}
    except TypeError as error:
        raise ValueError("blocks are lists of two numbers") from error


def _covers(now: tuple[Range, ...], before: tuple[Range, ...]) -> bool:
    return all(any(first <= begin and end <= last for first, last in now) for begin, end in before)
