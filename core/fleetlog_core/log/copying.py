"""Moving a log to another engine, byte for byte: the same partitions, offsets, keys, values and times.

Positions that clients hold, and what the warehouse says is applied, stay true of the copy. Progress of consumer groups
is not copied: the materializer finds its own in the warehouse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Protocol

from fleetlog_core.log.port import TOPICS, EventLog, LogUnavailable, Partition, Record

COPY_BYTES = 4 * 1024 * 1024
"""Read and written at a time."""
DURABLE_SECONDS = 60.0


class CopyTarget(EventLog, Protocol):
    """A log that can take records as they were."""

    def append_copies(self, records: Sequence[Record]) -> list[Future[Record]]:
        """Append to each record's own partition, with its key, value and time. As `append` otherwise.

        The caller sees to it that nobody else writes: the offsets come out as the log counts.
        """
        ...


class CopyRefused(ValueError):
    """The target can't become a copy of the source, or is no longer one. The message says why."""


def copy_log(
    source: EventLog,
    target: CopyTarget,
    start: Mapping[Partition, int] | None = None,
    *,
    on_progress: Callable[[Partition, int, int], None] | None = None,
) -> dict[Partition, int]:
    """Copy what the target lacks of the source. Answers with the next offset of each partition, the same in both.

    Can be broken off and run again: it goes on where the target ends. `start`: the offsets that a run before answered;
    the target must end exactly there. Without it, what the target has must be the source's own records, of which the
    first and the last are compared. Nobody may write to either log meanwhile; what is written to the source after its
    end was looked up is left to another run.

    `on_progress` gets a partition, how far it is copied, and the source's end. CopyRefused, LogUnavailable.
    """
    for topic in TOPICS:
        if source.partitions(topic) != target.partitions(topic):
            raise CopyRefused(
                f"{topic} has {source.partitions(topic)} partitions in the source and {target.partitions(topic)} in the"
                " target; make the target with the source's"
            )
    partitions = [Partition(topic, number) for topic in TOPICS for number in range(source.partitions(topic))]
    ends = {partition: source.next_offset(partition) for partition in partitions}
    begin = {partition: target.next_offset(partition) for partition in partitions}
    # All are looked at before anything is written.
    for partition in partitions:
        _must_be_copy(source, target, partition, begin[partition], ends[partition], start)
    for partition in partitions:
        offset = begin[partition]
        while offset < ends[partition]:
            records = [
                record
                for record in source.read(partition, offset, max_bytes=COPY_BYTES)
                if record.offset < ends[partition]
            ]
            if not records:
                raise LogUnavailable(f"the source does not give {partition} at offset {offset}, which it has")
            _write(target, records)
            offset = records[-1].offset + 1
            if on_progress is not None:
                on_progress(partition, offset, ends[partition])
    return ends


def compare_logs(
    one: EventLog,
    other: EventLog,
    ends: Mapping[Partition, int],
    *,
    on_progress: Callable[[Partition, int, int], None] | None = None,
) -> None:
    """Compare every record before `ends`: key, value, time. CopyRefused tells where they differ; LogUnavailable."""
    for partition, end in ends.items():
        offset = 0
        while offset < end:
            mine = one.read(partition, offset, max_bytes=COPY_BYTES)
            theirs = other.read(partition, offset, max_bytes=COPY_BYTES)
            if not mine or not theirs:
                raise LogUnavailable(f"{partition} can't be read at offset {offset}")
            # The two may give different numbers of records at a time.
            for left, right in zip(mine, theirs, strict=False):
                if left != right:
                    raise CopyRefused(f"{partition} differs at offset {left.offset}: it is no copy; make a new one")
            offset += min(len(mine), len(theirs))
            if on_progress is not None:
                on_progress(partition, min(offset, end), end)


def _must_be_copy(
    source: EventLog,
    target: EventLog,
    partition: Partition,
    has: int,
    end: int,
    start: Mapping[Partition, int] | None,
) -> None:
    if has > end:
        raise CopyRefused(f"{partition} has {has} records in the target and {end} in the source: it was written to")
    if start is not None and start.get(partition, 0) != has:
        raise CopyRefused(
            f"{partition} ends at offset {has} in the target, and {start.get(partition, 0)} was copied before"
        )
    for offset in {0, has - 1} if has else ():
        if _identity(source, partition, offset) != _identity(target, partition, offset):
            raise CopyRefused(f"{partition} has another record at offset {offset} in the target: that is another log")


def _identity(log: EventLog, partition: Partition, offset: int) -> tuple[bytes, bytes, int]:
    records = log.read(partition, offset, max_bytes=1)
    if not records:
        raise LogUnavailable(f"{partition} can't be read at offset {offset}")
    return records[0].key, records[0].value, records[0].time_millis


def _write(target: CopyTarget, records: Sequence[Record]) -> None:
    futures = target.append_copies(records)
    for record, future in zip(records, futures, strict=True):
        try:
            written = future.result(DURABLE_SECONDS)
        except FutureTimeout as error:
            raise LogUnavailable(f"{record.partition} was not durable in {DURABLE_SECONDS:.0f} s") from error
        if written.offset != record.offset:
            raise CopyRefused(
                f"{record.partition} took offset {record.offset} as {written.offset}: somebody else writes to the"
                " target. It is no copy; make a new one"
            )
