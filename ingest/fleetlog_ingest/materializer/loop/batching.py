"""When a batch is large enough. Pure: the time is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetlog_core.readers import Demand

if TYPE_CHECKING:
    from fleetlog_ingest.materializer.fold.decoding import Decoded


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """A batch costs 50 to 100 ms of CPU however small it is: under load batches grow, otherwise who reads decides."""

    target_weight: int = 800_000
    """Rows that are enough. At least 100,000 points, so that the fixed cost stays below a quarter; from half as many,
    merges are a quarter more work."""
    max_weight: int = 1_000_000
    """Rows that are never exceeded, but by a single record: what one insert takes as one block."""
    target_bytes: int = 16 * 1024 * 1024
    """Bytes of records that are enough, however few their rows are: long texts, small artifacts."""
    waiting_bytes: int = 64 * 1024 * 1024
    """Bytes of all partitions together that wait for more; then all of them go, and nothing is read before."""
    max_wait_seconds: float = 1.0
    """The longest a record waits for others."""
    max_rest_seconds: float = 0.5
    """The longest pause between a round of small batches and the next, while somebody reads."""
    unread_rest_seconds: float = 0.0
    """The pause between a round of small batches and the next, while nobody reads; at least as long as for readers."""

    def ready(self, weight: int, size: int, waited_seconds: float, *, idle: bool, rests: bool = False) -> bool:
        """True if rows of that weight in that many bytes go now.

        `idle`: the log had nothing more just now. `rests`: the pause after the last small batch is not over.
        """
        if weight <= 0:
            return False
        return self.is_enough(weight, size) or (not rests and (idle or waited_seconds >= self.max_wait_seconds))

    def is_enough(self, weight: int, size: int) -> bool:
        """Whether to wait for more would make the batch no better."""
        return weight >= self.target_weight or size >= self.target_bytes

    def rest(self, took_seconds: float, demand: Demand) -> float:
        """Seconds after a round in which the next small batches of its partitions wait: as many as the round took.

        `took_seconds`: all small batches of the round together. So that a log with little batches in it, of however
        many partitions, leaves half of the machine to those who write, and what arrives in the meantime shares the next
        insert. None while somebody waits for what was written, and more while nobody reads. A write that comes
        after the pause, or to another partition, goes at once.
        """
        if demand is Demand.AWAITED:
            return 0.0
        rest = min(took_seconds, self.max_rest_seconds)
        return rest if demand is Demand.READ else max(rest, self.unread_rest_seconds)

    def cut(self, waiting: Iterable[Decoded]) -> int:
        """How many of the waiting records, at least one, make the batch: either tables of runs, or other events."""
        weight = size = count = 0
        imports: bool | None = None
        for decoded in waiting:
            weight += decoded.weight
            size += len(decoded.record.value)
            if weight > self.max_weight or decoded.imports is not (decoded.imports if imports is None else imports):
                return max(count, 1)
            imports = decoded.imports
            count += 1
            if self.is_enough(weight, size):
                break
        return count
