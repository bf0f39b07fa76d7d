"""What is durable keeps the order in which it was appended, whatever failed on the way."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.port import EVENTS, EventLog, LogUnavailable, Partition

from tests.core.log.kafka.own_topics import own_topics
from tests.faults.kafka_network import kafka_network

ONLY = Partition(EVENTS, 0)
DELIVERY_SECONDS = 4.0


@pytest.fixture
def settings(kafka_server: str) -> Iterator[KafkaSettings]:
    with own_topics(kafka_server, 1) as made:
        yield made


def values(log: EventLog) -> list[bytes]:
    """What the log has, in its order."""
    found: list[bytes] = []
    while len(found) < log.next_offset(ONLY):
        found += [record.value for record in log.read(ONLY, len(found), max_bytes=1 << 24)]
    return found


@pytest.mark.parametrize("later_seconds", [1.0, 2.5, 3.7])
def test_a_later_append_does_not_outlive_an_earlier_one_that_failed(
    settings: KafkaSettings, later_seconds: float
) -> None:
    with kafka_network(settings) as network:
        through = replace(
            settings,
            bootstrap=tuple(network.bootstrap.split(",")),
            delivery_seconds=DELIVERY_SECONDS,
            request_seconds=1.0,
        )
        with closing(KafkaLog(through)) as log:
            assert log.append(EVENTS, b"run", b"0").exception(30) is None
            network.end()
            begun = time.monotonic()
            # Too long to share a batch.
            first, second, third = (name + os.urandom(700_000) for name in (b"1", b"2", b"3"))
            earlier = log.append(EVENTS, b"run", first)
            # The later ones have time left when that one has none, and the brokers are back about then.
            threading.Event().wait(later_seconds)
            later = [log.append(EVENTS, b"run", value) for value in (second, third)]
            threading.Event().wait(begun + DELIVERY_SECONDS - time.monotonic())
            network.mend()
            outcomes = [type(one.exception(30)) for one in (earlier, *later)]
            assert set(outcomes) <= {type(None), LogUnavailable}
            # Its caller does all of it again, in order.
            for value in (first, second, third):
                deadline = time.monotonic() + 60
                while log.append(EVENTS, b"run", value).exception(60) is not None:
                    assert time.monotonic() < deadline
        with closing(KafkaLog(settings)) as direct:
            found = [value[:1] for value in values(direct)]
    assert list(dict.fromkeys(found)) == [b"0", b"1", b"2", b"3"], found


def test_what_failed_has_nothing_appended_behind_it_at_once(settings: KafkaSettings) -> None:
    with kafka_network(settings) as network:
        through = replace(
            settings, bootstrap=tuple(network.bootstrap.split(",")), delivery_seconds=1.0, request_seconds=1.0
        )
        with closing(KafkaLog(through)) as log:
            generation = log.generation()
            assert log.append(EVENTS, b"run", b"0", generation=generation).exception(30) is None
            network.end()
            assert isinstance(log.append(EVENTS, b"run", b"1", generation=generation).exception(30), LogUnavailable)
            network.mend()
            # By somebody who has not heard of the failure yet, however long ago it was.
            behind = log.append(EVENTS, b"run", b"2", generation=generation)
            assert behind.done()
            assert isinstance(behind.exception(), LogUnavailable)
