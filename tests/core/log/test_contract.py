"""What every event log promises. A new adapter is one more parameter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, EVENTS, Commit, EventLog, Fenced, LogUnavailable, Partition
from fleetlog_core.log.sqlite import SqliteLog

Make = Callable[[int], EventLog]


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    logs: list[EventLog] = []

    def build(partitions: int) -> EventLog:
        log: EventLog = (
            MemoryLog({EVENTS: partitions})
            if request.param == "memory"
            else SqliteLog(tmp_path / f"{len(logs)}.sqlite", {EVENTS: partitions})
        )
        logs.append(log)
        return log

    yield build
    for log in logs:
        log.close()


def test_records_keep_their_order_and_bytes(make: Make) -> None:
    log = make(1)
    records = [log.append(EVENTS, b"run", bytes([n]) * n) for n in range(100)]
    assert [future.result(10).offset for future in records] == list(range(100))
    read = log.read(Partition(EVENTS, 0), 0, max_bytes=1 << 20)
    assert [record.value for record in read] == [bytes([n]) * n for n in range(100)]
    assert log.next_offset(Partition(EVENTS, 0)) == 100


def test_a_key_stays_in_its_partition(make: Make) -> None:
    log = make(4)
    partitions = {log.append(EVENTS, b"one run", b"x").result(10).partition for _ in range(20)}
    assert len(partitions) == 1
    spread = {log.append(EVENTS, bytes([n]), b"x").result(10).partition for n in range(64)}
    assert len(spread) == 4


def test_read_gives_at_least_one_and_no_more_than_asked(make: Make) -> None:
    log = make(1)
    for _ in range(5):
        log.append(EVENTS, b"k", b"x" * 1000).result(10)
    assert len(log.read(Partition(EVENTS, 0), 2, max_bytes=1)) == 1
    assert len(log.read(Partition(EVENTS, 0), 1, max_bytes=2500)) == 2
    assert log.read(Partition(EVENTS, 0), 5, max_bytes=100) == () or not log.read(
        Partition(EVENTS, 0), 5, max_bytes=100
    )


def test_a_waiting_poll_gets_a_new_record(make: Make) -> None:
    log = make(1)
    consumer = log.consumer("g", [EVENTS, CONTROL])
    assert not consumer.poll(0, max_bytes=10)
    timer = threading.Timer(0.05, lambda: log.append(CONTROL, b"k", b"late"))
    timer.start()
    records = consumer.poll(10, max_bytes=10)
    assert [record.value for record in records] == [b"late"]
    timer.join()


def test_wake_ends_a_poll(make: Make) -> None:
    consumer = make(1).consumer("g", [EVENTS])
    timer = threading.Timer(0.05, consumer.wake)
    timer.start()
    assert not consumer.poll(60, max_bytes=10)
    timer.join()


def test_commits_are_the_groups_own(make: Make) -> None:
    log = make(1)
    partition = Partition(EVENTS, 0)
    for n in range(3):
        log.append(EVENTS, b"k", bytes([n])).result(10)
    one = log.consumer("one", [EVENTS])
    assert one.committed(partition) is None
    assert len(one.poll(1, max_bytes=1 << 20)) == 3
    one.commit(partition, Commit(2, "declared 2-5"))
    one.close()
    again = log.consumer("one", [EVENTS])
    assert again.committed(partition) == Commit(2, "declared 2-5")
    assert [record.offset for record in again.poll(1, max_bytes=1 << 20)] == [2]
    assert log.consumer("other", [EVENTS]).committed(partition) is None


def test_seek_reads_again(make: Make) -> None:
    log = make(1)
    log.append(EVENTS, b"k", b"a").result(10)
    consumer = log.consumer("g", [EVENTS])
    assert len(consumer.poll(1, max_bytes=10)) == 1
    consumer.seek(Partition(EVENTS, 0), 0)
    assert len(consumer.poll(1, max_bytes=10)) == 1


def test_members_share_and_the_old_owner_is_fenced(make: Make) -> None:
    log = make(4)
    first = log.consumer("g", [EVENTS])
    first.poll(0, max_bytes=1)
    assert len(first.assignment()) == 4
    second = log.consumer("g", [EVENTS])
    second.poll(0, max_bytes=1)
    taken = next(iter(second.assignment()))
    with pytest.raises(Fenced):
        first.commit(taken, Commit(0))
    first.poll(0, max_bytes=1)
    assert first.assignment() | second.assignment() == {Partition(EVENTS, n) for n in range(4)}
    assert not first.assignment() & second.assignment()
    second.close()
    first.poll(0, max_bytes=1)
    assert len(first.assignment()) == 4


def test_a_closed_log_takes_nothing(make: Make) -> None:
    log = make(1)
    log.close()
    log.close()
    with pytest.raises(LogUnavailable):
        log.append(EVENTS, b"k", b"x").result(10)


def test_many_threads_lose_nothing(make: Make) -> None:
    log = make(1)

    def write(name: int) -> None:
        for n in range(50):
            log.append(EVENTS, bytes([name]), f"{name}:{n}".encode()).result(10)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = [record.value.decode() for record in log.read(Partition(EVENTS, 0), 0, max_bytes=1 << 20)]
    assert len(values) == len(set(values)) == 400
    for name in range(8):
        assert [v for v in values if v.startswith(f"{name}:")] == [f"{name}:{n}" for n in range(50)]
