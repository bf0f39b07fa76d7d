"""The topics of the log: made so that they keep everything, and refused where they would not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

from fleetlog_core.log.kafka.clients import named, opened
from fleetlog_core.log.kafka.settings import RECORD_BYTES, KafkaSettings
from fleetlog_core.log.port import EVENTS, TOPICS, LogUnavailable

T = TypeVar("T")
RETRY_SECONDS = 0.2
MISSING_SECONDS = 5.0
"""Seconds in which a broker hears of topics that another one made."""


class TopicRefused(ValueError):
    """A topic is missing, or its settings would lose events. The message says which, and how to mend it."""


class TopicMissing(TopicRefused):
    """A topic is not there."""


def create_topics(settings: KafkaSettings) -> dict[str, int]:
    """Create the topics that are missing, then `check_topics`. Idempotent. LogUnavailable, TopicRefused."""
    wanted = {
        settings.topic(topic): {
            "num_partitions": count,
            "replication_factor": settings.replication,
            "configs": settings.topic_options(),
        }
        for topic, count in settings.counts().items()
    }

    def create(admin: KafkaAdminClient) -> None:
        existing = {str(found["name"]) for found in admin.describe_topics(list(wanted)) if not found["error_code"]}
        for name, options in wanted.items():
            if name not in existing:
                try:
                    admin.create_topics({name: options})
                except TopicAlreadyExistsError:
                    # Somebody else was as quick.
                    continue
                except InvalidReplicationFactorError as error:
                    raise TopicRefused(
                        f"{name} can't have {settings.replication} replicas: the cluster has fewer brokers that run."
                        " Start more, or take a smaller replication"
                    ) from error
        admin.wait_for_topics(list(wanted), timeout_ms=int(settings.request_seconds * 1000))

    administer(settings, create)
    return check_topics(settings, settings.request_seconds)


def found_topics(settings: KafkaSettings) -> KafkaSettings:
    """The settings with the partitions and the replication that the topics have. LogUnavailable, TopicMissing."""
    names = {topic: settings.topic(topic) for topic in TOPICS}

    def look(admin: KafkaAdminClient) -> dict[str, list[int]]:
        return _replicas(admin, list(names.values()))

    replicas = administer(settings, look)
    least = min(count for counts in replicas.values() for count in counts)
    return replace(settings, partitions=len(replicas[names[EVENTS]]), replication=least)


def check_topics(settings: KafkaSettings, missing_seconds: float = MISSING_SECONDS) -> dict[str, int]:
    """The partitions of each topic of the port. LogUnavailable, TopicRefused.

    Brokers hear of new topics one after the other: one that lacks some is no verdict before `missing_seconds` are over.
    """
    deadline = time.monotonic() + missing_seconds
    while True:
        try:
            return _checked(settings)
        except TopicMissing:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)


def _checked(settings: KafkaSettings) -> dict[str, int]:
    names = {topic: settings.topic(topic) for topic in TOPICS}

    def look(admin: KafkaAdminClient) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
        counts = {name: len(replicas) for name, replicas in _replicas(admin, list(names.values())).items()}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names.values()]
        described = admin.describe_configs(resources, config_filter="all")["topic"]
        return counts, {
            str(name): {str(key): str(entry["value"]) for key, entry in options.items()}
            for name, options in described.items()
        }

    counts, options = administer(settings, look)
    for topic, name in names.items():
        wanted = settings.counts()[topic]
        if counts[name] != wanted:
            raise TopicRefused(
                f"{name} has {counts[name]} partitions, the settings say {wanted}. Keys would change their partition;"
                " set the number that the topic has"
            )
        wrong = faults(options[name], settings.replication)
        if wrong and not settings.may_lose_events:
            raise TopicRefused(f"{name} would lose events: {'; '.join(wrong)}. Alter the topic, or set may_lose_events")
        longest = int(options[name].get("max.message.bytes", 0))
        if longest < RECORD_BYTES:
            raise TopicRefused(
                f"{name} takes no more than max.message.bytes = {longest:,}; records have up to {RECORD_BYTES:,}"
            )
    return {topic: counts[name] for topic, name in names.items()}


def faults(options: Mapping[str, str], replication: int) -> list[str]:
    """What in a topic's settings loses events, each with the value that does not. Empty: nothing."""
    wanted = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "unclean.leader.election.enable": "false",
    }
    wrong = [f"{key} is {options[key]}, not {value}" for key, value in wanted.items() if options.get(key) != value]
    least = replication // 2 + 1
    if int(options.get("min.insync.replicas", 1)) < least:
        wrong.append(f"min.insync.replicas is {options.get('min.insync.replicas')}, below {least}")
    return wrong


def _replicas(admin: KafkaAdminClient, names: list[str]) -> dict[str, list[int]]:
    """How many replicas each partition of each topic has. TopicMissing."""
    found = {
        str(topic["name"]): [len(partition["replica_nodes"]) for partition in topic["partitions"]]
        for topic in admin.describe_topics(names)
        if not topic["error_code"]
    }
    missing = sorted(set(names) - found.keys())
    if missing:
        raise TopicMissing(f"no topic {', '.join(missing)}: `fleetlog topics create` makes the topics of a log")
    return found


def administer(settings: KafkaSettings, work: Callable[[KafkaAdminClient], T]) -> T:
    """`work` with an administration client; again on a new one when that fails, up to `connect_seconds`.

    A client keeps to the controller that it found first and raises at once when that one is down.
    """
    deadline = time.monotonic() + settings.connect_seconds
    while True:
        try:
            admin = opened(KafkaAdminClient, settings)
            try:
                return work(admin)
            finally:
                admin.close()
        except TopicAuthorizationFailedError as error:
            raise TopicRefused(f"not allowed to look at the topics {settings.prefix}.*: {named(error)}") from error
        except (KafkaError, OSError) as error:
            if time.monotonic() + RETRY_SECONDS > deadline:
                raise LogUnavailable(f"Kafka at {','.join(settings.bootstrap)}: {named(error)}") from error
            time.sleep(RETRY_SECONDS)
