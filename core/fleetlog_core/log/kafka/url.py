"""A Kafka log as one text: kafka://host:port,host:port/prefix. Secrets are never in it but in the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields

from fleetlog_core.log.kafka.settings import KafkaSecurity, KafkaSettings

SCHEME = "kafka://"
VARIABLE = "FLEETLOG_KAFKA_"
"""FLEETLOG_KAFKA_PROTOCOL, _MECHANISM, _USERNAME, _PASSWORD, _CA_FILE, …: the fields of KafkaSecurity."""
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")


def settings_of(url: str, environment: Mapping[str, str]) -> KafkaSettings:
    """The settings that the URL and the environment say; ValueError tells what is wrong with them."""
    brokers, _, prefix = url.removeprefix(SCHEME).partition("/")
    addresses = tuple(brokers.split(","))
    if not url.startswith(SCHEME) or not prefix or not all(map(_ADDRESS.fullmatch, addresses)):
        # What stands before an @ may be a password.
        raise ValueError(
            f"{url.rpartition('@')[2][:100]!r} is no log: kafka://host:port,host:port/prefix, and"
            f" {VARIABLE}PROTOCOL, {VARIABLE}USERNAME and {VARIABLE}PASSWORD in the environment where brokers ask"
        )
    return KafkaSettings(addresses, prefix=prefix, security=security_of(environment))


def security_of(environment: Mapping[str, str]) -> KafkaSecurity:
    """What the environment says about who we are to the cluster. ValueError."""
    names = {field.name: VARIABLE + field.name.upper() for field in fields(KafkaSecurity)}
    return KafkaSecurity(
        **{name: environment[variable] for name, variable in names.items() if environment.get(variable)}
    )
