"""What every event log promises. A new adapter is one more parameter."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fleetlog_core.log.appender import Appender
from fleetlog_core.log.ends import next_offsets
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.lag import Lag, lag_of
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import (
    CONTROL,
    DEAD_LETTERS,
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

from tests.core.log.full_disk import files_no_longer_than
from tests.core.log.kafka.own_topics import own_topics
from tests.faults.kafka_network import kafka_network
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


def test_how_far_the_log_has_come_covers_all_that_was_appended(make: Make) -> None:
    log = make(3)
    assert next_offsets(log) == {}
    records = [log.append(EVENTS, bytes([n]), b"x").result(10) for n in range(16)]
    records.append(log.append(CONTROL, b"n", b"x").result(10))
    records.append(log.append(DEAD_LETTERS, b"n", b"x").result(10))
    found = next_offsets(log)
    assert found == {
        record.partition: max(one.offset + 1 for one in records if one.partition == record.partition)
        for record in records[:-1]
    }


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


@dataclass(frozen=True)
class Breakable:
    """A log, and a while in which it takes no record of 20 MB, or none at all."""

    log: EventLog
    broken: Callable[[], AbstractContextManager[None]]
    large: int


@pytest.fixture(params=["sqlite", "kafka"])
def breakable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Breakable]:
    """An engine in which an append that was accepted can fail."""
    with ExitStack() as after:
        if request.param == "sqlite":
            log: EventLog = SqliteLog(tmp_path / "log.sqlite", {EVENTS: 2})
            after.callback(log.close)
            # More than one commit takes: what is behind it is in the next one, for which there is room.
            yield Breakable(log, lambda: files_no_longer_than(2_000_000), 20_000_000)
            return
        settings = after.enter_context(own_topics(request.getfixturevalue("kafka_server"), 2))
        network = after.enter_context(kafka_network(settings))
        bootstrap = tuple(network.bootstrap.split(","))
        log = KafkaLog(replace(settings, bootstrap=bootstrap, delivery_seconds=2.0, request_seconds=1.0))
        after.callback(log.close)

        @contextmanager
        def broken() -> Iterator[None]:
            network.end()
            try:
                yield
            finally:
                network.mend()

        yield Breakable(log, broken, 700_000)


def names(log: EventLog) -> list[list[str]]:
    """The first three bytes of what each partition has, in its order."""
    found: list[list[str]] = []
    for number in range(log.partitions(EVENTS)):
        place, values = Partition(EVENTS, number), list[str]()
        while len(values) < log.next_offset(place):
            values += [record.value[:3].decode() for record in log.read(place, len(values), max_bytes=1 << 30)]
        found.append(values)
    return found


def test_what_is_behind_an_append_that_fails_fails_too_and_keeps_its_order_when_done_again(
    breakable: Breakable,
) -> None:
    log, appender = breakable.log, Appender(breakable.log)
    for one in (b"a", b"b"):
        assert appender.append(EVENTS, one, one + b"00").exception(30) is None
    values = [b"%c%02d" % (b"ab"[place % 2], place) for place in range(1, 20)]
    values[4] = values[4].ljust(breakable.large, b"x")
    with breakable.broken():
        outcomes = [appender.append(EVENTS, value[:1], value) for value in values]
        failed = [isinstance(outcome.exception(60), LogUnavailable) for outcome in outcomes]
    # Durable up to one of them, and no further: also what came after the failure, and long after it.
    assert any(failed)
    assert failed == sorted(failed)
    assert isinstance(appender.append(EVENTS, b"a", b"a99").exception(0), LogUnavailable)
    deadline = time.monotonic() + 60
    left = values[failed.index(True) :]
    while left:
        # As its caller does: from the first that failed on, all of it again.
        again = Appender(log)
        outcomes = [again.append(EVENTS, value[:1], value) for value in left]
        left = [value for value, outcome in zip(left, outcomes, strict=True) if outcome.exception(60) is not None]
        assert time.monotonic() < deadline
    firsts = [list(dict.fromkeys(partition)) for partition in names(log)]
    assert sorted(name for partition in firsts for name in partition) == sorted(
        ["a00", "b00", *(value[:3].decode() for value in values)]
    )
    for partition in firsts:
        for key in "ab":
            of_key = [name for name in partition if name.startswith(key)]
            assert of_key == sorted(of_key)


def test_a_failure_of_others_ends_nobody_who_waited_for_nothing(breakable: Breakable) -> None:
    idle = Appender(breakable.log)
    assert idle.append(EVENTS, b"a", b"a00").exception(30) is None
    with breakable.broken():
        large = b"x" * breakable.large
        assert isinstance(breakable.log.append(EVENTS, b"b", large).exception(60), LogUnavailable)
    deadline = time.monotonic() + 60
    while idle.append(EVENTS, b"a", b"a01").exception(60) is not None:
        # Kafka's brokers are back in a moment; until then this one's own append fails, and it begins anew.
        idle = Appender(breakable.log)
        assert time.monotonic() < deadline


def test_a_generation_that_is_over_takes_nothing(breakable: Breakable) -> None:
    log = breakable.log
    generation = log.generation()
    with breakable.broken():
        assert log.append(EVENTS, b"a", b"x" * breakable.large, generation=generation).exception(60) is not None
    assert log.generation() > generation
    assert isinstance(log.append(EVENTS, b"a", b"a01", generation=generation).exception(0), LogUnavailable)
    assert not any("a01" in partition for partition in names(log))
