"""What is counted of some runs, and what has to be counted again. Pure.

Runs are counted in segments of the time of their ids. Those that change again and again, as all do that train, are few:
these hot runs are counted by themselves, and their segments, without them, hold on while they change. Without it the
list of keys of 1,000,000 runs beside updates misses its mark, a p95 of 300 ms (docs/decisions/0005-search-index.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence, Set
from dataclasses import replace

from fleetlog_query.facets.segments import NOTHING, WHOLE, KeyCounts, Segment, Span, slot_of, total

APART = 256
"""Maximum runs that are counted apart from their segments: the ones that changed last."""
TOGETHER = 64
"""Maximum runs of one segment that may change at once; beyond it the segment is counted again with them."""


class Counts:
    """Segments of all runs, and the runs apart. Everything is to be counted, at first."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.hot_runs: OrderedDict[bytes, None] = OrderedDict()
        self.hot_counts: KeyCounts | None = None
        """None = to be counted again."""
        self._begin()

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that it takes, about."""
        return sum(segment.counts.size_bytes for segment in self.segments)

    def change(self, changed: Set[bytes] | None) -> None:
        """These runs changed; None = nobody knows which."""
        if changed is None:
            self._begin()
            return
        known = self.hot_runs.keys() & changed
        for run_id in known:
            self.hot_runs.move_to_end(run_id)
        if known:
            self.hot_counts = None
        of_segment: dict[int, list[bytes]] = {}
        for run_id in changed - known:
            of_segment.setdefault(self._place(run_id), []).append(run_id)
        for place, run_ids in of_segment.items():
            self._stale(place)
            if len(run_ids) <= TOGETHER:
                self.hot_runs.update(dict.fromkeys(run_ids))
                self.hot_counts = None
        if len(self.hot_runs) > APART:
            # Half of them, so that this is not done for each that comes.
            while len(self.hot_runs) > APART // 2:
                self._stale(self._place(self.hot_runs.popitem(last=False)[0]))
            self.hot_counts = None

    def _begin(self) -> None:
        self.segments = [Segment(WHOLE)]
        self.hot_runs.clear()
        self.hot_counts = NOTHING

    def cut(self, span: Span, spans: Sequence[Span]) -> None:
        """A segment becomes several, all to be counted."""
        place = next(place for place, segment in enumerate(self.segments) if segment.span == span)
        self.segments[place : place + 1] = [Segment(one) for one in spans]

    def count(self, span: Span, counts: KeyCounts) -> None:
        """A segment was counted, without those `hot_in` it."""
        place = next(place for place, segment in enumerate(self.segments) if segment.span == span)
        self.segments[place] = Segment(span, counts, stale=False)

    def hot_in(self, span: Span) -> list[bytes]:
        """The runs of a span that are counted apart."""
        return [one for one in self.hot_runs if span.first <= slot_of(one) < span.until]

    def total(self) -> KeyCounts:
        """Counts over all runs. ValueError while something is to be counted."""
        parts = [segment.counts for segment in self.segments if not segment.stale]
        if len(parts) < len(self.segments) or self.hot_counts is None:
            raise ValueError("not counted yet")
        return total([*parts, self.hot_counts])

    def _place(self, run_id: bytes) -> int:
        return bisect_right(self.segments, slot_of(run_id), key=lambda segment: segment.span.first) - 1

    def _stale(self, place: int) -> None:
        self.segments[place] = replace(self.segments[place], stale=True)
