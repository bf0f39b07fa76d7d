"""Runs in segments by the time of their ids, and what is known of the keys of each. Pure.

A segment is a range of slots: stretches of 1,024 ms of the time that run ids begin with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

SLOT_BITS = 10
"""Runs whose ids were made in the same 1,024 ms are in one slot, and are counted together."""
SLOTS = 1 << (48 - SLOT_BITS)
"""Count of slots: the time in an id has 48 bits."""

Whole = npt.NDArray[np.uint64]
Real = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """Slots from `first` to before `until`."""

    first: int
    until: int

    @property
    def since_id(self) -> bytes:
        """The lowest id of it; empty for all from the beginning."""
        return _id_of(self.first) if self.first else b""

    @property
    def until_id(self) -> bytes:
        """The lowest id behind it; empty when nothing is behind it."""
        return _id_of(self.until) if self.until < SLOTS else b""


WHOLE = Span(0, SLOTS)


def slot_of(run_id: bytes) -> int:
    """The slot of a run's id."""
    return int.from_bytes(run_id[:6], "big") >> SLOT_BITS


def _id_of(slot: int) -> bytes:
    return (slot << SLOT_BITS).to_bytes(6, "big") + bytes(10)


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """Keys as numbers of the caller's, each once, with how many runs have it; of these how many a number, and which.

    `lows` is +inf and `highs` -inf where `numeric` is 0. All columns have one length.
    """

    keys: npt.NDArray[np.intp]
    runs: Whole
    numeric: Whole
    lows: Real
    highs: Real

    @property
    def size_bytes(self) -> int:
        """Bytes of its columns."""
        return sum(one.nbytes for one in (self.keys, self.runs, self.numeric, self.lows, self.highs))


NOTHING = KeyCounts(np.empty(0, np.intp), np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class Segment:
    """A span and what was counted of it last, which does not hold any more when it is `stale`."""

    span: Span
    counts: KeyCounts = NOTHING
    stale: bool = True

    @property
    def at_least(self) -> int:
        """It had no fewer runs than this."""
        return int(self.counts.runs.max(initial=0))


def split(span: Span, slots: Whole, runs: Whole, size: int) -> list[Span]:
    """The span in spans of about `size` runs; `slots` ascending, with how many runs are in each."""
    if not len(slots):
        return [span]
    before = np.cumsum(runs) - runs
    # A slot begins a new span where the number of whole sizes before it is another than before the slot ahead of it.
    begins = slots[1:][np.diff(before // np.uint64(size)) > 0].tolist()
    edges = [span.first, *(begin for begin in begins if begin > span.first), span.until]
    return [Span(first, until) for first, until in pairwise(edges)]


def total(parts: Sequence[KeyCounts]) -> KeyCounts:
    """Total over all of them, by key."""
    if not parts:
        return NOTHING
    keys, places = np.unique(np.concatenate([part.keys for part in parts]), return_inverse=True)
    runs, numeric = np.zeros(len(keys), np.uint64), np.zeros(len(keys), np.uint64)
    lows, highs = np.full(len(keys), np.inf), np.full(len(keys), -np.inf)
    np.add.at(runs, places, np.concatenate([part.runs for part in parts]))
    np.add.at(numeric, places, np.concatenate([part.numeric for part in parts]))
    np.minimum.at(lows, places, np.concatenate([part.lows for part in parts]))
    np.maximum.at(highs, places, np.concatenate([part.highs for part in parts]))
    return KeyCounts(keys, runs, numeric, lows, highs)
