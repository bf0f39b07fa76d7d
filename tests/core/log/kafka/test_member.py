from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.kafka.member import Member
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.port import EVENTS, Commit, Fenced, Partition
from kafka import TopicPartition

from tests.core.log.kafka.own_topics import own_topics

ONLY = Partition(EVENTS, 0)


@pytest.fixture
def settings(kafka_server: str) -> Iterator[KafkaSettings]:
    with own_topics(kafka_server, 1) as made:
        yield made


@pytest.fixture
def log(settings: KafkaSettings) -> Iterator[KafkaLog]:
    with closing(KafkaLog(settings)) as opened:
        yield opened


def own(member: Member) -> None:
    """Poll, where nothing is to be had, until the partition is the member's."""
    deadline = time.monotonic() + 30
    while ONLY not in member.assignment():
        assert time.monotonic() < deadline, "the group gave the partition to nobody"
        assert not member.poll(0.1, max_bytes=1)


def test_one_that_was_silent_is_fenced_and_the_next_goes_on_at_its_commit(
    settings: KafkaSettings, log: KafkaLog
) -> None:
    impatient = replace(settings, most_poll_seconds=2.0)
    with closing(Member(impatient, "g", [EVENTS])) as silent:
        own(silent)
        silent.commit(ONLY, Commit(0, "declared"))
        # It works on something for longer than a member may. The group goes on with another one.
        with closing(Member(impatient, "g", [EVENTS])) as heir:
            own(heir)
            assert heir.committed(ONLY) == Commit(0, "declared")
            with pytest.raises(Fenced):
                silent.commit(ONLY, Commit(99, "too late"))
            assert heir.committed(ONLY) == Commit(0, "declared")
            log.append(EVENTS, b"run", b"x").result(10)
            assert [record.offset for record in heir.poll(10, max_bytes=1)] == [0]
            heir.commit(ONLY, Commit(1))


def test_a_stuck_partition_is_named_and_made_to_move(settings: KafkaSettings, log: KafkaLog) -> None:
    told: list[tuple[Partition, int, int]] = []
    watchful = replace(settings, stuck_seconds=0.5)
    with closing(Member(watchful, "g", [EVENTS], on_stuck=lambda *what: told.append(what))) as member:
        own(member)
        # The driver forgets to fetch, as it did after rebalances in some of its versions.
        member._driver.pause(TopicPartition(settings.topic(EVENTS), 0))
        for value in (b"0", b"1"):
            log.append(EVENTS, b"run", value).result(10)
        deadline = time.monotonic() + 30
        found: list[bytes] = []
        while len(found) < 2:
            assert time.monotonic() < deadline, "the partition stayed stuck"
            found += [record.value for record in member.poll(0.1, max_bytes=1 << 20)]
    assert found == [b"0", b"1"]
    assert told[0] == (ONLY, 0, 2)


def test_a_quiet_partition_without_records_is_not_stuck(settings: KafkaSettings, log: KafkaLog) -> None:
    told: list[object] = []
    eager = replace(settings, stuck_seconds=0.05)
    with closing(Member(eager, "g", [EVENTS], on_stuck=lambda *what: told.append(what))) as member:
        own(member)
        assert not member.poll(0.5, max_bytes=1)
    assert not told
