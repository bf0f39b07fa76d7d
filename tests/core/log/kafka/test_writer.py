from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.kafka.settings import BATCH_BYTES, RECORD_BYTES, KafkaSettings
from fleetlog_core.log.port import CONTROL, EVENTS, LogUnavailable, Partition, RecordTooLarge

from tests.core.log.kafka.own_topics import alter, own_topics


@pytest.fixture
def settings(kafka_server: str) -> Iterator[KafkaSettings]:
    with own_topics(kafka_server, 1) as made:
        yield made


def test_the_longest_frame_goes_through_and_a_longer_one_is_refused_at_once(settings: KafkaSettings) -> None:
    log = KafkaLog(settings)
    try:
        # Random bytes: what compression makes longer fits, too.
        longest = os.urandom(RECORD_BYTES - 3)
        refused = log.append(EVENTS, b"run", longest + b"!")
        assert isinstance(refused.exception(0), RecordTooLarge)
        assert log.append(EVENTS, b"run", longest).result(30).offset == 0
        assert log.read(Partition(EVENTS, 0), 0, max_bytes=1)[0].value == longest
        assert log.next_offset(Partition(EVENTS, 0)) == 1
    finally:
        log.close()


def durable(log: KafkaLog, topic: str, value: bytes) -> None:
    """Append until it is acknowledged, as a client does."""
    deadline = time.monotonic() + 60
    while isinstance(error := log.append(topic, b"run", value).exception(60), LogUnavailable):
        assert time.monotonic() < deadline, error
    assert error is None


def test_what_a_broker_refuses_costs_nobody_a_record(settings: KafkaSettings) -> None:
    log = KafkaLog(settings)
    big = os.urandom(5_000)
    try:
        alter(settings, EVENTS, max_message_bytes="1000")
        outcomes: list[BaseException | None] = []
        deadline = time.monotonic() + 60
        while not any(outcomes):
            # Until the brokers have heard of the change; then others are on their way beside the one they refuse.
            assert time.monotonic() < deadline
            futures = [log.append(topic, b"run", value) for topic, value in [(EVENTS, big), *[(CONTROL, b"x")] * 10]]
            outcomes = [future.exception(60) for future in futures]
        # None is told that it can never be: that would be dropped for good, and it may be durable.
        assert {type(outcome) for outcome in outcomes} <= {LogUnavailable, type(None)}
        durable(log, CONTROL, b"others go on")
        alter(settings, EVENTS, max_message_bytes=str(BATCH_BYTES))
        durable(log, EVENTS, big)
    finally:
        log.close()


def test_more_than_the_buffer_takes_is_refused_at_once(settings: KafkaSettings) -> None:
    log = KafkaLog(replace(settings, buffer_bytes=10_000))
    try:
        futures = [log.append(EVENTS, b"run", b"x" * 4_000) for _ in range(50)]
        outcomes = [future.exception(30) for future in futures]
        assert any(outcome is None for outcome in outcomes)
        full = [str(outcome) for outcome in outcomes if outcome is not None]
        assert full
        assert all("wait for Kafka already; nothing was written" in text for text in full)
        assert log.next_offset(Partition(EVENTS, 0)) == len(futures) - len(full)
    finally:
        log.close()
