"""Topics of a test's own on a Kafka cluster that others may use too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.topics import administer, create_topics
from fleetlog_core.log.port import TOPICS
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from tests.servers import unique

MOST_REPLICAS = 3


def settings_for(bootstrap: str, partitions: int = 1) -> KafkaSettings:
    """Settings with a prefix that nobody else has; of several brokers each has a replica."""
    addresses = tuple(bootstrap.split(","))
    return KafkaSettings(
        addresses,
        prefix=unique("fleetlog-test"),
        partitions=partitions,
        replication=min(len(addresses), MOST_REPLICAS),
        session_seconds=6.0,
    )


@contextmanager
def own_topics(bootstrap: str, partitions: int = 1) -> Iterator[KafkaSettings]:
    """Fresh topics, removed afterwards."""
    settings = settings_for(bootstrap, partitions)
    try:
        create_topics(settings)
        yield settings
    finally:
        remove_topics(settings)


def remove_topics(settings: KafkaSettings) -> None:
    names = [settings.topic(topic) for topic in TOPICS]
    # What a client in the test waits for must not take the removal's time.
    administer(replace(settings, connect_seconds=30.0), lambda admin: admin.delete_topics(names, raise_errors=False))


def alter(settings: KafkaSettings, topic: str, **options: str) -> None:
    """Set options of one of the topics, `_` for their dots."""
    changes = {key.replace("_", "."): value for key, value in options.items()}

    def change(admin: KafkaAdminClient) -> None:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic(topic), changes)])

    administer(settings, change)
