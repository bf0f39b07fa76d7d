"""What every event log promises. A new adapter is one more parameter."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.lag import Lag, lag_of
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import (
    CONTROL,
    EVENTS,
    TOPICS,
    Commit,
    Consumer,
    EventLog,
    Fenced,
    LogUnavailable,
    Partition,
)
from fleetlog_core.log.sqlite import SqliteLog

from tests.core.log.kafka.own_topics import own_topics
from tests.servers import BROKERS, Brokers

Make = Callable[[int], EventLog]
Join = Callable[[EventLog, str], Consumer]


THREE_BROKERS = pytest.param("three brokers", marks=pytest.mark.brokers)


@pytest.fixture(params=["memory", "sqlite", "kafka", *([THREE_BROKERS] if BROKERS in os.environ else [])])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as after:

        def build(partitions: int) -> EventLog:
            log: EventLog
            if request.param == "memory":
                log = MemoryLog({EVENTS: partitions})
            elif request.param == "sqlite":
                log = SqliteLog(tmp_path / "log.sqlite", {EVENTS: partitions})
            else:
                is_one = request.param == "kafka"
                bootstrap = request.getfixturevalue("kafka_server") if is_one else kafka_brokers(request).bootstrap
                log = KafkaLog(after.enter_context(own_topics(bootstrap, partitions)))
            after.callback(log.close)
            return log

        yield build


@pytest.fixture
def join(make: Make) -> Iterator[Join]:
    """Join a group; the members leave before the log goes."""
    with ExitStack() as after:

        def joined(log: EventLog, group: str) -> Consumer:
            consumer = log.consumer(group, [EVENTS, CONTROL])
            after.callback(consumer.close)
            return consumer

        yield joined


def kafka_brokers(request: pytest.FixtureRequest) -> Brokers:
    brokers = request.getfixturevalue("kafka_brokers")
    assert isinstance(brokers, Brokers)
    return brokers


def settle(members: list[Consumer], wanted: Callable[[], bool]) -> None:
    """Poll the members, each in a thread, until it is so: a group settles only while all its members poll."""
    deadline = time.monotonic() + 30

    def poll(member: Consumer) -> None:
        while not wanted() and time.monotonic() < deadline:
            assert not member.poll(0.05, max_bytes=1)

    with ThreadPoolExecutor(len(members)) as pool:
        list(pool.map(poll, members))
    assert wanted(), [sorted(member.assignment()) for member in members]


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


def test_lag_counts_what_waits_and_since_when(make: Make) -> None:
    log = make(1)
    first, second = [log.append(EVENTS, b"k", b"x").result(10) for _ in range(2)]
    assert lag_of(log, first.partition, 0, first.time_millis + 5_000) == Lag(2, 5.0)
    assert lag_of(log, first.partition, 1, second.time_millis + 250) == Lag(1, 0.25)
    assert lag_of(log, first.partition, 1, second.time_millis - 9_000) == Lag(1, 0.0)
    assert lag_of(log, first.partition, 2, second.time_millis + 5_000) == Lag(0, 0.0)


def test_a_waiting_poll_gets_a_new_record(make: Make, join: Join) -> None:
    log = make(1)
    consumer = join(log, "g")
    settle([consumer], lambda: len(consumer.assignment()) == 2)
    timer = threading.Timer(0.05, lambda: log.append(CONTROL, b"k", b"late"))
    timer.start()
    records = consumer.poll(10, max_bytes=10)
    assert [record.value for record in records] == [b"late"]
    timer.join()


def test_wake_ends_a_poll(make: Make, join: Join) -> None:
    consumer = join(make(1), "g")
    timer = threading.Timer(0.05, consumer.wake)
    timer.start()
    assert not consumer.poll(60, max_bytes=10)
    timer.join()


def test_commits_are_the_groups_own(make: Make, join: Join) -> None:
    log = make(1)
    partition = Partition(EVENTS, 0)
    for n in range(3):
        log.append(EVENTS, b"k", bytes([n])).result(10)
    one = join(log, "one")
    assert one.committed(partition) is None
    assert len(one.poll(10, max_bytes=1 << 20)) == 3
    one.commit(partition, Commit(2, "declared 2-5"))
    one.close()
    again = join(log, "one")
    assert again.committed(partition) == Commit(2, "declared 2-5")
    assert [record.offset for record in again.poll(10, max_bytes=1 << 20)] == [2]
    assert join(log, "other").committed(partition) is None


def test_a_poll_gives_no_more_than_asked(make: Make, join: Join) -> None:
    log = make(1)
    for _ in range(5):
        log.append(EVENTS, b"k", b"x" * 1000).result(10)
    consumer = join(log, "g")
    sizes = [len(consumer.poll(10, max_bytes=2500)) for _ in range(3)]
    assert sizes == [2, 2, 1]


def test_a_poll_for_nothing_passes_over_nothing(make: Make, join: Join) -> None:
    log = make(1)
    consumer = join(log, "g")
    settle([consumer], lambda: len(consumer.assignment()) == 2)
    for n in range(3):
        log.append(EVENTS, b"k", bytes([n])).result(10)
        assert not consumer.poll(0.0, max_bytes=0)
    assert consumer.poll(10, max_bytes=1)[0].offset == 0
    assert not consumer.poll(0.0, max_bytes=0)
    assert len(consumer.assignment()) == 2
    assert [consumer.poll(10, max_bytes=1)[0].offset for _ in range(2)] == [1, 2]


def test_seek_reads_again(make: Make, join: Join) -> None:
    log = make(1)
    for n in range(3):
        log.append(EVENTS, b"k", bytes([n])).result(10)
    consumer = join(log, "g")
    assert consumer.poll(10, max_bytes=1)[0].offset == 0
    consumer.seek(Partition(EVENTS, 0), 0)
    assert [record.offset for record in consumer.poll(10, max_bytes=10)] == [0, 1, 2]
    consumer.seek(Partition(EVENTS, 0), 2)
    assert [record.offset for record in consumer.poll(10, max_bytes=10)] == [2]


def shared(*members: Consumer) -> set[Partition]:
    """All partitions of the members, when each has some and none has another's."""
    owned = [member.assignment() for member in members]
    everything = set().union(*owned)
    return everything if all(owned) and sum(map(len, owned)) == len(everything) else set()


def test_members_share_and_the_old_owner_is_fenced(make: Make, join: Join) -> None:
    log = make(4)
    everything = {Partition(EVENTS, n) for n in range(4)} | {Partition(CONTROL, 0)}
    first = join(log, "g")
    settle([first], lambda: first.assignment() == everything)
    second = join(log, "g")
    settle([first, second], lambda: shared(first, second) == everything)
    taken = next(iter(second.assignment()))
    with pytest.raises(Fenced):
        first.commit(taken, Commit(0))
    with pytest.raises(Fenced):
        first.seek(taken, 0)
    second.commit(taken, Commit(0, "mine"))
    assert first.committed(taken) == Commit(0, "mine")
    second.close()
    settle([first], lambda: first.assignment() == everything)


def test_a_closed_log_takes_nothing(make: Make) -> None:
    log = make(1)
    log.close()
    log.close()
    with pytest.raises(LogUnavailable):
        log.append(EVENTS, b"k", b"x").result(10)


def test_to_look_whether_it_takes_writes_writes_nothing(make: Make) -> None:
    log = make(1)
    log.check_writable()
    assert [log.next_offset(Partition(topic, 0)) for topic in TOPICS] == [0, 0, 0]


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
