"""What the materializer tells of itself."""

from __future__ import annotations

from typing import Protocol

from fleetlog_core.log.port import Partition

from fleetlog_ingest.materializer.apply import Counts


class MaterializerTelemetry(Protocol):
    """Takes the materializer's counts."""

    def batch(self, partition: Partition, counts: Counts, seconds: float) -> None:
        """A batch is in, after so many seconds."""
        ...

    def lag(self, partition: Partition, records: int) -> None:
        """So many records of the partition are durable and not applied."""
        ...

    def dead_letter(self, partition: Partition, reason: str) -> None:
        """A record went to the dead letters."""
        ...


class NoTelemetry:
    """Tells nobody."""

    def batch(self, partition: Partition, counts: Counts, seconds: float) -> None:
        """See MaterializerTelemetry."""

    def lag(self, partition: Partition, records: int) -> None:
        """See MaterializerTelemetry."""

    def dead_letter(self, partition: Partition, reason: str) -> None:
        """See MaterializerTelemetry."""
