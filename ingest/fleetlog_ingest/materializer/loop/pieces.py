"""A batch, what it held, and its fold: whole, and piece by piece where the warehouse refuses some of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import Partition

from fleetlog_ingest.materializer.fold.artifacts import Artifacts, Stored
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.fold import EventFold
from fleetlog_ingest.materializer.fold.import_fold import ImportFold
from fleetlog_ingest.materializer.fold.result import Folded
from fleetlog_ingest.materializer.fold.state import State


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition: what one declaration covers. Offsets `first` to `last`, both in it."""

    partition: Partition
    records: Sequence[Decoded]

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.records[0].record.offset

    @property
    def imports(self) -> bool:
        """Whether it is of tables of runs: then every record is one."""
        return self.records[0].imports

    @property
    def last(self) -> int:
        """Offset of the last record."""
        return self.records[-1].record.offset

    @property
    def weight(self) -> int:
        """See Decoded."""
        return sum(decoded.weight for decoded in self.records)

    @property
    def size(self) -> int:
        """Bytes of the records."""
        return sum(len(decoded.record.value) for decoded in self.records)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a batch held."""

    records: int = 0
    events: int = 0
    duplicates: int = 0
    points: int = 0
    rows: int = 0
    dead: int = 0
    pending: int = 0
    """Artifacts that the object store could not take or look for."""
    gaps: int = 0
    reused: int = 0


class Pieces:
    """A batch with the state before it and the records that the warehouse refused so far."""

    def __init__(self, batch: Batch, state: State, artifacts: Artifacts, limits: RunLimits) -> None:
        self.batch = batch
        self.state = state
        self.refused: dict[int, str] = {}
        self._stored = artifacts.store(batch.records)
        self._why_pending = artifacts.why() if Stored.PENDING in self._stored.values() else ""
        self._limits = limits

    def fold(self) -> Folded:
        """The whole batch."""
        return self.fold_some(self.batch.records, self.state)

    def fold_some(self, records: Sequence[Decoded], state: State) -> Folded:
        """Some records of it, on the state before them."""
        number, next_offset = self.batch.partition.number, self.batch.last + 1
        if self.batch.imports:
            return ImportFold(state, number, next_offset, self.refused).fold(records)
        stored, why = self._stored, self._why_pending
        return EventFold(state, number, next_offset, stored, self.refused, self._limits, why).fold(records)

    def stored_token(self) -> str:
        """Part of the insert tokens that tells one answer of the object store from another; empty when all is there.

        A token that was used stands for the rows of its insert, and others would be passed over.
        """
        others = sorted(
            (name.key(), stored.value) for name, stored in self._stored.items() if stored is not Stored.THERE
        )
        return f"/{sha256(repr(others).encode()).hexdigest()[:16]}" if others else ""
