"""The event log in Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from fleetlog_core.log.kafka.member import Member
from fleetlog_core.log.kafka.reader import Readers
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.topics import check_topics
from fleetlog_core.log.kafka.writer import Writer
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import CONTROL, Partition, Record


class KafkaLog:
    """See EventLog. Opens threads and connections: not to be used after a fork.

    The topics must be there (`create_topics`) and keep everything: TopicRefused. LogUnavailable when no broker answers.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._counts = check_topics(settings)
        self._readers = Readers(settings)
        self._writer = Writer(settings)

    def partitions(self, topic: str) -> int:
        """See EventLog."""
        return self._counts[topic]

    def generation(self) -> int:
        """See EventLog."""
        return self._writer.generation

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        partition = Partition(topic, partition_of(key, self._counts[topic]))
        return self._writer.append(partition, key, value, generation=generation)

    def append_copies(self, records: Sequence[Record]) -> list[Future[Record]]:
        """See CopyTarget."""
        generation = self._writer.generation
        return [
            self._writer.append(record.partition, record.key, record.value, record.time_millis, generation=generation)
            for record in records
        ]

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """See EventLog."""
        return self._readers.read(partition, offset, max_bytes=max_bytes)

    def next_offset(self, partition: Partition) -> int:
        """See EventLog."""
        return self._readers.next_offset(partition)

    def check_writable(self) -> None:
        """See EventLog. A broker that answers takes records: one whose disk is full or fails ends."""
        self._readers.next_offset(Partition(CONTROL, 0))

    def consumer(self, group: str, topics: Sequence[str]) -> Member:
        """See EventLog."""
        return Member(self._settings, group, topics)

    def close(self) -> None:
        """See EventLog."""
        self._writer.close()
        self._readers.close()
