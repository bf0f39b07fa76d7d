"""Ids of runs in statements: as many as one takes, and how they are bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

RUNS_PER_SELECT = 2_000
AMONG_IDS = "IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))"
"""Behind a column of ids; `ids` is bound to hexadecimal digits."""


def pieces(run_ids: Sequence[bytes]) -> Iterator[list[str]]:
    """The ids in hexadecimal digits, as many at once as a statement takes."""
    for first in range(0, len(run_ids), RUNS_PER_SELECT):
        yield [run_id.hex() for run_id in run_ids[first : first + RUNS_PER_SELECT]]
