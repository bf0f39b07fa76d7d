"""Members that come, go and fail beside others: no record is passed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, EVENTS, Commit, Consumer, LogUnavailable, Partition, Record
from fleetlog_core.objects.folder import FolderStore
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.batching import BatchPolicy
from fleetlog_ingest.materializer.loop import Materializer

from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.history import write
from tests.ingest.materializer.warehouses import drain, opened, rebuilt

PARTITIONS = {"events": 2}


class Failing:
    """The log, with a call before each look at a group's commit and before each new member."""

    def __init__(self, log: MemoryLog, before: Callable[[str], None]) -> None:
        self._log = log
        self._before = before

    def partitions(self, topic: str) -> int:
        return self._log.partitions(topic)

    def append(self, topic: str, key: bytes, value: bytes) -> Future[Record]:
        return self._log.append(topic, key, value)

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        return self._log.read(partition, offset, max_bytes=max_bytes)

    def next_offset(self, partition: Partition) -> int:
        return self._log.next_offset(partition)

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        self._before("consumer")
        return _FailingMember(self._log.consumer(group, topics), self._before)

    def close(self) -> None:
        self._log.close()


class _FailingMember:
    def __init__(self, consumer: Consumer, before: Callable[[str], None]) -> None:
        self._consumer = consumer
        self._before = before
        self.assignment = consumer.assignment
        self.poll = consumer.poll
        self.seek = consumer.seek
        self.commit = consumer.commit
        self.wake = consumer.wake
        self.close = consumer.close

    def committed(self, partition: Partition) -> Commit | None:
        self._before("committed")
        return self._consumer.committed(partition)


def _a_partition_comes_while_the_log_fails(path: Path) -> None:
    log = MemoryLog(PARTITIONS)
    write(log, 1, 40)
    live = opened(path)
    other = log.consumer("materializer", (EVENTS, CONTROL))
    failures: list[str] = []
    fails_next = False
    batches = 0

    def before(what: str) -> None:
        nonlocal fails_next
        if what == "consumer" and not failures:
            failures.append(what)
            raise LogUnavailable("not now")
        if what == "committed" and fails_next:
            fails_next = False
            failures.append(what)
            raise LogUnavailable("not now")

    def after_a_batch() -> None:
        # The other member's partitions come with records of those that are here already.
        nonlocal fails_next, batches
        batches += 1
        if batches == 1:
            write(log, 2, 40)
            other.close()
            fails_next = True
        ends = {place: log.next_offset(place) for place in replay.applied(log, live)}
        if batches > 1 and ends == replay.applied(log, live):
            materializer.stop()

    materializer = Materializer(Failing(log, before), live, FolderStore(path / "objects"), on_applied=after_a_batch)
    materializer.run()
    assert failures == ["consumer", "committed"]
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


def test_a_partition_that_comes_while_the_log_fails_costs_no_record(tmp_path: Path) -> None:
    in_own_process(_a_partition_comes_while_the_log_fails, tmp_path)


def _emptied(path: Path) -> None:
    log = MemoryLog(PARTITIONS)
    write(log, 1, 40)
    first = opened(path / "first")
    drain(log, first, path, BatchPolicy(target_weight=1, max_weight=1))
    first.close()
    write(log, 2, 40)
    fresh = opened(path / "fresh")
    drain(log, fresh, path)
    found = replay.checksums(fresh)
    fresh.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


def test_an_emptied_warehouse_is_filled_from_the_beginning_of_the_log(tmp_path: Path) -> None:
    in_own_process(_emptied, tmp_path)
