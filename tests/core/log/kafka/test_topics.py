from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fleetlog_core.log.kafka.log import KafkaLog
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.topics import TopicRefused, check_topics, create_topics
from fleetlog_core.log.port import CONTROL, DEAD_LETTERS, EVENTS, LogUnavailable

from tests.core.log.kafka.own_topics import alter, own_topics, remove_topics, settings_for


@pytest.fixture
def settings(kafka_server: str) -> Iterator[KafkaSettings]:
    with own_topics(kafka_server, 3) as made:
        yield made


def test_creating_again_changes_nothing(settings: KafkaSettings) -> None:
    assert create_topics(settings) == {EVENTS: 3, CONTROL: 1, DEAD_LETTERS: 1}
    assert check_topics(settings) == {EVENTS: 3, CONTROL: 1, DEAD_LETTERS: 1}


def test_a_topic_that_a_broker_has_not_heard_of_yet_is_waited_for(kafka_server: str) -> None:
    settings = settings_for(kafka_server, 3)
    making = threading.Timer(0.5, create_topics, [settings])
    making.start()
    try:
        assert check_topics(settings, 60.0) == {EVENTS: 3, CONTROL: 1, DEAD_LETTERS: 1}
    finally:
        making.join()
        remove_topics(settings)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("retention_ms", "604800000"),
        ("retention_bytes", "1000000"),
        ("cleanup_policy", "compact"),
        ("unclean_leader_election_enable", "true"),
    ],
)
def test_a_topic_that_would_lose_events_is_refused(settings: KafkaSettings, option: str, value: str) -> None:
    alter(settings, EVENTS, **{option: value})
    with pytest.raises(TopicRefused, match=f"{EVENTS} would lose events: {option.replace('_', '.')} is {value}"):
        KafkaLog(settings)
    assert check_topics(replace(settings, may_lose_events=True))[EVENTS] == 3


def test_a_topic_that_takes_too_little_is_refused(settings: KafkaSettings) -> None:
    alter(settings, CONTROL, max_message_bytes="1000000")
    with pytest.raises(TopicRefused, match=r"control takes no more than max\.message\.bytes"):
        check_topics(settings)


def test_too_few_replicas_in_sync_are_refused(settings: KafkaSettings) -> None:
    with pytest.raises(TopicRefused, match=r"min\.insync\.replicas is 1, below 2"):
        check_topics(replace(settings, replication=3))


def test_another_number_of_partitions_is_refused(settings: KafkaSettings) -> None:
    with pytest.raises(TopicRefused, match="has 3 partitions, the settings say 4"):
        check_topics(replace(settings, partitions=4))


def test_missing_topics_are_named(kafka_server: str) -> None:
    settings = settings_for(kafka_server)
    with pytest.raises(TopicRefused, match=f"no topic {settings.prefix}.control, {settings.prefix}.dead-letters"):
        KafkaLog(settings)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_cluster_that_is_not_there_is_unavailable_and_leaves_no_thread_and_no_socket() -> None:
    settings = replace(settings_for("127.0.0.1:9"), connect_seconds=1.0)
    threads, files = threading.active_count(), open_files()
    with pytest.raises(LogUnavailable, match=r"Kafka at 127\.0\.0\.1:9"):
        KafkaLog(settings)
    assert threading.active_count() == threads
    assert open_files() == files
