"""When a batch is large enough. Pure: the time is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_ingest.materializer.decoding import Decoded


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """An insert costs 30 to 45 ms of CPU however small it is: under load batches grow, otherwise they go at once."""

    target_weight: int = 400_000
    """Rows that are enough. At least 100,000 points, so that the fixed cost stays below a quarter."""
    max_weight: int = 1_000_000
    """Rows that are never exceeded, but by a single record: what one insert takes as one block."""
    max_wait_seconds: float = 1.0
    """The longest a record waits for others."""
    max_rest_seconds: float = 0.5
    """The longest pause between a small batch and the next."""

    def ready(self, weight: int, waited_seconds: float, idle: bool) -> bool:
        """Whether to go. `idle`: the log had nothing more just now."""
        return weight > 0 and (idle or weight >= self.target_weight or waited_seconds >= self.max_wait_seconds)

    def rest(self, took_seconds: float) -> float:
        """How long after a batch the next small one waits, in seconds: as long as that batch took.

        So that a log with little batches in it leaves half of the machine to those who write, and what arrives in the
        meantime shares the next insert. A write that comes after the pause goes at once.
        """
        return min(took_seconds, self.max_rest_seconds)

    def cut(self, waiting: Sequence[Decoded]) -> int:
        """How many of the waiting records, at least one, make the batch: either tables of runs, or other events."""
        weight = 0
        for place, decoded in enumerate(waiting):
            weight += decoded.weight
            if weight > self.max_weight or decoded.imports != waiting[0].imports:
                return max(place, 1)
            if weight >= self.target_weight:
                return place + 1
        return len(waiting)
