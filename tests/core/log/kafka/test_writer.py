from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.kafka.settings import RECORD_BYTES, KafkaSettings
from fleetlog_core.log.port import CONTROL, EVENTS, Partition, RecordTooLarge

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


def test_what_kafka_refuses_fails_alone(settings: KafkaSettings) -> None:
    log = KafkaLog(settings)
    try:
        alter(settings, EVENTS, max_message_bytes="1000")
        taken = 0
        deadline = time.monotonic() + 60
        while True:
            big = log.append(EVENTS, b"run", os.urandom(5_000))
            others = [log.append(CONTROL, b"run", bytes([n])) for n in range(10)]
            assert all(future.result(30) for future in others)
            if big.exception(30):
                break
            # The brokers did not hear of the change yet.
            taken += 1
            assert time.monotonic() < deadline
        with pytest.raises(RecordTooLarge, match="Kafka refuses a record of 5,000 bytes"):
            big.result(10)
        assert log.next_offset(Partition(EVENTS, 0)) == taken
        assert log.next_offset(Partition(CONTROL, 0)) == 10 * (taken + 1)
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
