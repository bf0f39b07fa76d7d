"""The log of a world: what is written is never lost; what writers are told of it is another matter.

A record that is written is durable. On the way there it may be late, or never arrive, and its answer may get lost: see
EventLog for what a writer may rely on then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetlog_core.log.partitions import partition_counts, partition_of
from fleetlog_core.log.port import CONTROL, DEAD_LETTERS, EVENTS, Commit, Partition, Record

from simulation.clocks import wall
from simulation.groups import Group
from simulation.kernel import Kernel
from simulation.weather import Weather


class Broker:
    """Partitions, commits and groups. `written` is told of each record."""

    def __init__(
        self,
        kernel: Kernel,
        weather: Weather,
        event_partitions: int,
        way_seconds: float,
        written: Callable[[Record], None],
    ) -> None:
        self.kernel = kernel
        self.weather = weather
        self.way_seconds = way_seconds
        self.counts = partition_counts({EVENTS: event_partitions, CONTROL: 1, DEAD_LETTERS: 1})
        self.records: dict[Partition, list[Record]] = {
            Partition(topic, number): [] for topic, count in self.counts.items() for number in range(count)
        }
        self.commits: dict[tuple[str, Partition], Commit] = {}
        self._groups: dict[str, Group] = {}
        self._written = written

    def write(self, topic: str, key: bytes, value: bytes) -> Record:
        """Write a record, durably."""
        partition = Partition(topic, partition_of(key, self.counts[topic]))
        records = self.records[partition]
        record = Record(partition, len(records), key, value, int(wall() * 1000))
        records.append(record)
        self.kernel.history.add(str(partition), f"has {record.offset}, {len(value)} bytes")
        self._written(record)
        for group in self._groups.values():
            group.wake()
        return record

    def read(self, partition: Partition, offset: int, max_bytes: int) -> Sequence[Record]:
        """Records from an offset on, one at least where there is one."""
        found: list[Record] = []
        size = 0
        for record in self.records[partition][offset:]:
            if found and size + len(record.value) > max_bytes:
                break
            found.append(record)
            size += len(record.value)
        return found

    def group(self, name: str, topics: Sequence[str]) -> Group:
        """The consumer group of a name."""
        if name not in self._groups:
            partitions = [partition for partition in sorted(self.records) if partition.topic in topics]
            self._groups[name] = Group(self.kernel, name, partitions)
        return self._groups[name]
