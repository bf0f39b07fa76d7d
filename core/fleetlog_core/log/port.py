"""The port of the event log.

Words
-----
record     bytes with a place: (topic, partition, offset).
offset     counts the records of one partition from 0, without gaps in what a reader sees in order.
next offset  the offset after the last one meant; never "last read".
durable    the record survives the crash of every process; only then its future resolves.
generation  number of the failures that the log has had: it rises whenever appends fail that were accepted.
committed  what a consumer group declared of a partition: an offset and a text of its own (`metadata`).

Topics are fixed: EVENTS (partitioned by key, so one run's records are in one partition, in order) and CONTROL
(one partition: its order decides what is unique). DEAD_LETTERS takes what can't be applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from fleetlog_core.unavailable import PartUnavailable

EVENTS = "events"
CONTROL = "control"
DEAD_LETTERS = "dead-letters"
TOPICS = (EVENTS, CONTROL, DEAD_LETTERS)
BEHIND_FAILURE = "an append before it failed; nothing was written"
"""What LogUnavailable says of an append whose generation is over."""


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One ordered sequence of records."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes of the log with their place. `time_millis` is when the log took them."""

    partition: Partition
    offset: int
    key: bytes
    value: bytes
    time_millis: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What a group committed of a partition: the offset to go on from, and a text of its own."""

    offset: int
    metadata: str = ""


class LogUnavailable(PartUnavailable):
    """The log does not answer. What was being done may or may not have happened; do it again."""


class RecordTooLarge(Exception):
    """The record is over the log's limit; nothing was written."""


class RecordsGone(Exception):
    """The log lacks records that it had: they were dropped, or lost with a disk. To wait does not help."""


class Fenced(Exception):
    """The partition belongs to another member of the group by now; drop what was begun and poll."""


class EventLog(Protocol):
    """An append-only log. Thread-safe. Nothing is ever changed or removed."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        ...

    def generation(self) -> int:
        """Current generation. Rises, before any future of theirs fails, when accepted appends fail."""
        ...

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """Write one record; the future resolves when it is durable, to the record with its place.

        Records that one thread appends with one key keep their order. Does not block for I/O. The future fails
        with LogUnavailable (outcome unknown) or RecordTooLarge (nothing written, and nothing else fails by it).

        When an accepted append fails with LogUnavailable, every append that is open fails with it, whatever its
        partition, and the generation rises. With a `generation` that is not the current one nothing is written and
        the future has failed on return. So what is appended with one generation is durable up to some record and
        no further: nothing overtakes a record that failed and that its caller has yet to hear of. A failed record
        may become durable all the same; done again, it stands twice. `Appender` keeps to this for a caller.
        """
        ...

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """Records from `offset` on, in order, up to about `max_bytes` and at least one if there is one.

        Does not wait for records to come. Empty: there is none yet. LogUnavailable, RecordsGone.
        """
        ...

    def next_offset(self, partition: Partition) -> int:
        """The offset that the next record of the partition will have."""
        ...

    def check_writable(self) -> None:
        """Find out whether records can be written, without writing one. LogUnavailable when they can't. Blocks."""
        ...

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """Join a consumer group. Each partition of the topics is with one member at a time."""
        ...

    def close(self) -> None:
        """Finish what was appended and let go. Appending afterwards fails with LogUnavailable. Idempotent."""
        ...


class Consumer(Protocol):
    """A member of a consumer group. Used by one thread, but for `wake`."""

    def assignment(self) -> frozenset[Partition]:
        """The partitions that are this member's by its last poll."""
        ...

    def poll(self, timeout_seconds: float, *, max_bytes: int) -> Sequence[Record]:
        """Records that follow those of earlier polls, of the assigned partitions; in order within each.

        Waits up to the timeout for the first; returns at once when there is one, on `wake`, and when partitions
        went. A partition that others may have had is missing from `assignment` for one poll at least. One that is
        newly assigned starts at its committed offset, or at 0. With a `max_bytes` of 0 none are handed out: the member
        is heard of in its group and learns what it has. LogUnavailable, RecordsGone.
        """
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """The next poll reads the partition from `offset`. Fenced when it is not assigned."""
        ...

    def committed(self, partition: Partition) -> Commit | None:
        """What the group committed of the partition, by whichever member; None = never."""
        ...

    def commit(self, partition: Partition, commit: Commit) -> None:
        """Commit durably. Fenced when the partition is another member's; then nothing changed."""
        ...

    def wake(self) -> None:
        """End a waiting poll. From any thread."""
        ...

    def close(self) -> None:
        """Leave the group; the partitions go to other members. Commits nothing. Idempotent."""
        ...
