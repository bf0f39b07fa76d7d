"""Members that come, go and fail beside others: no record is passed over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, EVENTS, Commit, Consumer, LogUnavailable, Partition, Record
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.readers import Readers
from fleetlog_core.warehouse.port import Column, Warehouse, WarehouseUnavailable
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer

from tests.ingest.materializer.builders import frame, in_own_process, start
from tests.ingest.materializer.history import run_id, write
from tests.ingest.materializer.warehouses import Watched, drain, opened, rebuilt

PARTITIONS = {"events": 2}


class Failing:
    """The log, with a call before each poll, each look at a group's commit and each new member.

    `waited` is called with the seconds that a poll waited in vain.
    """

    def __init__(
        self, log: MemoryLog, before: Callable[[str], None], waited: Callable[[float], None] = lambda _: None
    ) -> None:
        self._log = log
        self._before = before
        self._waited = waited

    def partitions(self, topic: str) -> int:
        return self._log.partitions(topic)

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        return self._log.append(topic, key, value, generation=generation)

    def generation(self) -> int:
        return self._log.generation()

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        return self._log.read(partition, offset, max_bytes=max_bytes)

    def next_offset(self, partition: Partition) -> int:
        return self._log.next_offset(partition)

    def check_writable(self) -> None:
        self._log.check_writable()

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        self._before("consumer")
        return _FailingMember(self._log.consumer(group, topics), self._before, self._waited)

    def close(self) -> None:
        self._log.close()


class _FailingMember:
    def __init__(self, consumer: Consumer, before: Callable[[str], None], waited: Callable[[float], None]) -> None:
        self._consumer = consumer
        self._before = before
        self._waited = waited
        self.assignment = consumer.assignment
        self.seek = consumer.seek
        self.commit = consumer.commit
        self.wake = consumer.wake
        self.close = consumer.close

    def poll(self, timeout_seconds: float, *, max_bytes: int) -> Sequence[Record]:
        self._before("poll")
        records = self._consumer.poll(timeout_seconds, max_bytes=max_bytes)
        if not records:
            self._waited(timeout_seconds)
        return records

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

    def after_a_batch(partition: Partition, next_offset: int) -> None:
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


FIRST, SECOND = (Partition(EVENTS, number) for number in range(2))


def _many_runs(count: int) -> MemoryLog:
    log = MemoryLog(PARTITIONS)
    _add_runs(log, 0, count)
    return log


def _add_runs(log: MemoryLog, first: int, end: int) -> None:
    for number in range(first, end):
        log.append(EVENTS, number.to_bytes(2, "big"), frame(start(1), run=run_id(number)).SerializeToString())


def _all_is_in(log: MemoryLog, live: Warehouse) -> bool:
    return all(log.next_offset(partition) == there for partition, there in replay.applied(log, live).items())


def _many_small_batches(path: Path) -> None:
    log = _many_runs(40)
    ends = [log.next_offset(partition) for partition in (FIRST, SECOND)]
    live = opened(path)
    now = polled = longest = 0.0
    apart: list[int] = []

    def before(what: str) -> None:
        nonlocal polled, longest
        if what == "poll":
            longest, polled = max(longest, now - polled), now
            there = replay.applied(log, live)
            if there[FIRST] < ends[0] and there[SECOND] < ends[1]:
                apart.append(abs(there[FIRST] - there[SECOND]))

    def after_a_batch(partition: Partition, next_offset: int) -> None:
        nonlocal now
        now += 4.0
        if _all_is_in(log, live):
            materializer.stop()

    materializer = Materializer(
        Failing(log, before),
        live,
        FolderStore(path / "objects"),
        on_applied=after_a_batch,
        policy=BatchPolicy(target_weight=1, max_weight=1),
        clock=lambda: now,
    )
    materializer.run()
    live.close()
    assert len(apart) > 20
    assert longest == 4.0, "it polls after each batch"
    assert max(apart) <= 2, "partitions take turns"


def test_one_with_many_batches_is_heard_of_between_them(tmp_path: Path) -> None:
    in_own_process(_many_small_batches, tmp_path)


def _bounded(path: Path) -> None:
    log = _many_runs(60)
    sizes = {
        partition: [len(record.value) for record in log.read(partition, 0, max_bytes=1 << 20)]
        for partition in (FIRST, SECOND)
    }
    policy = BatchPolicy(waiting_bytes=sum(map(sum, sizes.values())) // 10)
    live = opened(path)
    batches: list[int] = []

    def after_a_batch(partition: Partition, next_offset: int) -> None:
        there = replay.applied(log, live)
        batches.append(sum(sum(sizes[partition][: there[partition]]) for partition in (FIRST, SECOND)))
        if _all_is_in(log, live):
            materializer.stop()

    now = 0.0
    materializer = Materializer(
        log, live, FolderStore(path / "objects"), on_applied=after_a_batch, policy=policy, clock=lambda: now
    )
    materializer.run()
    live.close()
    # It never stops to wait, and a partition's batch has what was polled since its last one.
    steps = [after - before for before, after in zip([0, *batches], batches, strict=False)]
    assert max(steps) <= policy.waiting_bytes
    assert len(batches) >= 5


def test_what_waits_in_memory_is_bounded(tmp_path: Path) -> None:
    in_own_process(_bounded, tmp_path)


def _away(path: Path) -> None:
    log = _many_runs(40)
    live = opened(path)
    others: list[Consumer] = []
    polls: list[int] = []
    count = 0

    def before(what: str) -> None:
        nonlocal count
        count += what == "poll"
        if len(polls) == 4 and others:
            # The other member leaves again and has done nothing: what it was given comes back.
            others.pop().close()

    def fail(number: int, table: str, columns: Mapping[str, Column], is_after: bool) -> None:
        # Not what is inserted beside: that thread does not poll.
        if not is_after and len(polls) < 5 and threading.current_thread() is threading.main_thread():
            polls.append(count)
            if len(polls) == 2:
                others.append(log.consumer("materializer", (EVENTS, CONTROL)))
            raise WarehouseUnavailable("away")

    def after_a_batch(partition: Partition, next_offset: int) -> None:
        if _all_is_in(log, live):
            materializer.stop()

    materializer = Materializer(
        Failing(log, before), Watched(live, fail), FolderStore(path / "objects"), on_applied=after_a_batch
    )
    materializer.run()
    assert len(set(polls)) == len(polls), "it is heard of while the warehouse is away"
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


def test_a_member_whose_warehouse_is_away_is_heard_of_and_lets_go_of_what_another_has(tmp_path: Path) -> None:
    in_own_process(_away, tmp_path)


def _rests_unread(path: Path) -> None:
    log = _many_runs(8)
    live = opened(path)
    now = 0.0
    ended: list[float] = []
    readers = Readers(lambda: now)
    waiter = readers.waits()

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    def after_a_batch(partition: Partition, next_offset: int) -> None:
        wait(0.1)
        ended.append(now)
        if len(ended) in (2, 4):
            _add_runs(log, 8 * len(ended), 8 * len(ended) + 8)
        if len(ended) == 4:
            waiter.__enter__()
        if len(ended) == 6:
            waiter.__exit__(None, None, None)
            materializer.stop()

    materializer = Materializer(
        Failing(log, lambda _: None, wait), live, FolderStore(path / "objects"), on_applied=after_a_batch,
        policy=BatchPolicy(unread_rest_seconds=0.3), readers=readers, clock=lambda: now,
    )  # fmt: skip
    materializer.run()
    live.close()
    # Two partitions, three times: a pause while nobody reads, and none when somebody waits.
    assert [at - ended[0] for at in ended] == pytest.approx([0.0, 0.1, 0.5, 0.6, 0.7, 0.8])


def test_small_batches_rest_while_nobody_reads_and_go_at_once_when_somebody_waits(tmp_path: Path) -> None:
    in_own_process(_rests_unread, tmp_path)


def _rests(path: Path) -> None:
    log = _many_runs(8)
    live = opened(path)
    now = 0.0
    ended: list[float] = []

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    def after_a_batch(partition: Partition, next_offset: int) -> None:
        wait(0.1)
        ended.append(now)
        if len(ended) == 2:
            _add_runs(log, 8, 16)
        if len(ended) == 4:
            materializer.stop()

    materializer = Materializer(
        Failing(log, lambda _: None, wait), live, FolderStore(path / "objects"), on_applied=after_a_batch,
        clock=lambda: now,
    )  # fmt: skip
    materializer.run()
    live.close()
    # Two partitions, twice. Each of them waits as long as both took.
    assert [at - ended[0] for at in ended] == pytest.approx([0.0, 0.1, 0.4, 0.5])


def test_small_batches_of_many_partitions_rest_as_long_as_all_of_them_took(tmp_path: Path) -> None:
    in_own_process(_rests, tmp_path)
