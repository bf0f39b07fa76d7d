"""A partition that is ours, and what of it waits to make a batch. Pure: the time is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from fleetlog_core.readers import Demand

from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.loop.batching import BatchPolicy


@dataclass(slots=True)
class Waiting:
    """Where the partition goes on, what waits, and whether all that was applied is confirmed in the group."""

    next_offset: int
    """Offset of the record that follows the waiting ones."""
    confirmed: bool = True
    weight: int = 0
    size: int = 0
    """Bytes of the records that wait."""
    since: float = 0.0
    """When the first of them came, or the last batch ended."""
    rests_since: float = float("-inf")
    """When the last round with a small batch of it ended."""
    round_seconds: float = 0.0
    """Seconds that the small batches of that round took."""
    _records: deque[Decoded] = field(default_factory=deque)

    def add(self, decoded: Decoded, now: float) -> None:
        """One more waits."""
        if not self._records:
            self.since = now
        self._records.append(decoded)
        self.weight += decoded.weight
        self.size += len(decoded.record.value)
        self.next_offset = decoded.record.offset + 1

    def rests_until(self, policy: BatchPolicy, demand: Demand) -> float:
        """When the next small batch of it may go."""
        return self.rests_since + policy.rest(self.round_seconds, demand)

    def batch(self, policy: BatchPolicy) -> list[Decoded]:
        """The records of the next batch, one at least. They wait on until they are `done`."""
        return list(islice(self._records, policy.cut(self._records)))

    def done(self, batch: Sequence[Decoded], now: float) -> None:
        """The batch is in."""
        for decoded in batch:
            self._records.popleft()
            self.weight -= decoded.weight
            self.size -= len(decoded.record.value)
        self.since = now
