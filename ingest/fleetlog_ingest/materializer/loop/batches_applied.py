"""One batch after another into the warehouse, each told to telemetry and to whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable

from fleetlog_core.log.port import Partition
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import Attributes

from fleetlog_ingest.materializer.loop.apply import Applier
from fleetlog_ingest.materializer.loop.late_artifacts import LateArtifacts
from fleetlog_ingest.materializer.loop.pieces import Batch
from fleetlog_ingest.materializer.loop.progress import Progress


class BatchesApplied:
    """Batches of one materializer. `on_applied` takes a partition and the offset behind what is visible of it."""

    def __init__(
        self, applier: Applier, telemetry: Telemetry, progress: Progress, late: LateArtifacts,
        on_applied: Callable[[Partition, int], None] | None, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._applier = applier
        self._telemetry = telemetry
        self._progress = progress
        self._late = late
        self._on_applied = on_applied
        self._clock = clock

    def apply(self, batch: Batch) -> None:
        """Apply a batch; its rows are visible when this returns."""
        began = self._clock()
        told = self._telemetry
        # By these, an append's place in the log finds its batch.
        place: Attributes = {
            "fleetlog.topic": batch.partition.topic,
            "fleetlog.partition": batch.partition.number,
            "fleetlog.first_offset": batch.first,
            "fleetlog.last_offset": batch.last,
        }
        with told.traces.root("materialize", place) as span:
            counts = self._applier.apply(batch)
            span.tell({"fleetlog.points": counts.points, "fleetlog.duplicates": counts.duplicates})
        if counts.pending or self._applier.outages.artifacts.reason():
            self._late.due()
        told.batches.inc()
        told.duplicates.inc(counts.duplicates)
        told.sequence_gaps.inc(counts.gaps)
        told.sequences_reused.inc(counts.reused)
        told.batch_rows.observe(counts.points)
        told.batch_seconds.observe(self._clock() - began)
        self._progress.reached(batch.partition, batch.last + 1)
        if self._on_applied is not None:
            self._on_applied(batch.partition, batch.last + 1)
