from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fleetlog_core.log.copying import COPY_BYTES, CopyRefused, CopyTarget, compare_logs, copy_log
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, DEAD_LETTERS, EVENTS, EventLog, Partition
from fleetlog_core.log.sqlite import SqliteLog

from tests.core.log.kafka.own_topics import own_topics

Make = Callable[[int], CopyTarget]


@pytest.fixture(params=["memory", "sqlite", "kafka"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Fresh logs of an engine."""
    with ExitStack() as after:

        def build(partitions: int) -> CopyTarget:
            log: CopyTarget
            if request.param == "memory":
                log = MemoryLog({EVENTS: partitions})
            elif request.param == "sqlite":
                log = SqliteLog(tmp_path / "log.sqlite", {EVENTS: partitions})
            else:
                log = KafkaLog(after.enter_context(own_topics(request.getfixturevalue("kafka_server"), partitions)))
            after.callback(log.close)
            return log

        yield build


def fill(log: EventLog, records: int, size: int = 100) -> None:
    futures = [log.append(EVENTS, bytes([n % 7]), os.urandom(size)) for n in range(records)]
    futures += [log.append(CONTROL, b"", b""), log.append(DEAD_LETTERS, b"why", bytes(range(256)))]
    for future in futures:
        future.result(30)


def ends(log: EventLog) -> dict[Partition, int]:
    return {
        Partition(topic, number): log.next_offset(Partition(topic, number))
        for topic in (EVENTS, CONTROL, DEAD_LETTERS)
        for number in range(log.partitions(topic))
    }


def test_there_and_back_is_the_same(make: Make) -> None:
    source, there, back = MemoryLog({EVENTS: 3}), make(3), MemoryLog({EVENTS: 3})
    fill(source, 200)
    assert copy_log(source, there) == ends(source) == ends(there)
    copy_log(there, back)
    compare_logs(source, back, ends(source))
    for partition in ends(source):
        assert list(back.read(partition, 0, max_bytes=1 << 30)) == list(source.read(partition, 0, max_bytes=1 << 30))


def test_one_that_is_broken_off_goes_on(make: Make) -> None:
    source, target = MemoryLog(), make(1)
    fill(source, 5, size=COPY_BYTES // 2 - 1_000)

    def stop(partition: Partition, offset: int, end: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_log(source, target, on_progress=stop)
    assert target.next_offset(Partition(EVENTS, 0)) == 2
    told: list[tuple[Partition, int, int]] = []
    copy_log(source, target, on_progress=lambda *progress: told.append(progress))
    assert told[:2] == [(Partition(EVENTS, 0), 4, 5), (Partition(EVENTS, 0), 5, 5)]
    compare_logs(source, target, ends(source))
    # What is new since is added by another run.
    fill(source, 1)
    copy_log(source, target)
    compare_logs(source, target, ends(source))


def test_another_log_is_no_target(make: Make) -> None:
    source, target = MemoryLog(), make(1)
    fill(source, 5)
    fill(target, 5)
    with pytest.raises(CopyRefused, match=r"events-0 has another record at offset \d in the target"):
        copy_log(source, target)
    fill(target, 1)
    with pytest.raises(CopyRefused, match="events-0 has 6 records in the target and 5 in the source"):
        copy_log(source, target)


def test_other_partitions_are_refused_before_anything_is_written(make: Make) -> None:
    source, target = MemoryLog({EVENTS: 2}), make(3)
    fill(source, 5)
    with pytest.raises(CopyRefused, match="events has 2 partitions in the source and 3 in the target"):
        copy_log(source, target)
    assert set(ends(target).values()) == {0}


def test_a_record_that_differs_is_found_wherever_it_is(make: Make) -> None:
    source, target = MemoryLog(), make(1)
    fill(source, 9)
    records = list(source.read(Partition(EVENTS, 0), 0, max_bytes=1 << 30))
    forged = MemoryLog()
    for record in records:
        changed = record.value if record.offset != 4 else record.value[:-1] + b"?"
        forged.append(EVENTS, record.key, changed)
    copy_log(forged, target)
    with pytest.raises(CopyRefused, match="events-0 differs at offset 4"):
        compare_logs(_at_one_time(source), _at_one_time(target), {Partition(EVENTS, 0): 9})


def _at_one_time(log: EventLog) -> MemoryLog:
    """A copy whose records are all of one time."""
    timeless = MemoryLog()
    for record in log.read(Partition(EVENTS, 0), 0, max_bytes=1 << 30):
        timeless.append_copies([type(record)(record.partition, record.offset, record.key, record.value, 0)])
    return timeless
