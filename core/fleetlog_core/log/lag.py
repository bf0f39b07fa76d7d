"""How far a reader is behind the log."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_core.log.port import EventLog, Partition


@dataclass(frozen=True, slots=True)
class Lag:
    """Records of one partition that wait, and seconds for which the oldest of them has been in the log."""

    records: int
    seconds: float


def lag_of(log: EventLog, partition: Partition, next_offset: int, now_millis: int) -> Lag:
    """The lag of a reader that goes on at `next_offset`, at a time in Unix milliseconds.

    A record's time is the clock of the process that appended it; one that is ahead of `now_millis` counts as new.
    LogUnavailable, RecordsGone.
    """
    records = log.next_offset(partition) - next_offset
    if records <= 0:
        return Lag(0, 0.0)
    oldest = log.read(partition, next_offset, max_bytes=1)[0]
    return Lag(records, max(0, now_millis - oldest.time_millis) / 1000)
