"""When the log took which records: rows of `log_times`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.log.port import Partition, Record

from fleetlog_ingest.materializer.fold.tables import Row

SPANS = (1, 3_600_000)
"""Milliseconds. The long ones spare a question about last year all the short ones since the beginning."""


def time_rows(partition: Partition, records: Sequence[Record], partitions: int) -> list[Row]:
    """Rows of consecutive records of a partition; `partitions` is how many its topic has.

    However the records of a log are cut into batches, merged they are the same rows.
    """
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for record in records:
        for span in SPANS:
            key = (span, record.time_millis // span * span)
            first, _ = found.get(key, (record.offset, 0))
            found[key] = (first, record.offset + 1)
    return [(partition.topic, partition.number, *key, *offsets, partitions) for key, offsets in found.items()]
