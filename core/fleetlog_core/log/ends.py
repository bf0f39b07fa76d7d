"""How far a log has come."""

from __future__ import annotations

from fleetlog_core.log.port import CONTROL, EVENTS, EventLog, Partition


def next_offsets(log: EventLog) -> dict[Partition, int]:
    """Returns the next offset of each partition of events and intents that has records. LogUnavailable."""
    every = (Partition(topic, number) for topic in (CONTROL, EVENTS) for number in range(log.partitions(topic)))
    return {partition: offset for partition in every if (offset := log.next_offset(partition))}
