"""The settings of Kafka as the adapter reads them."""

from __future__ import annotations

from fleetlog_deploy.settings.model import KEYS, Settings


def kafka_variables(settings: Settings) -> dict[str, str]:
    """Who we are to the brokers, by the names of the environment: from whatever source it was said in."""
    return {key.variable: str(getattr(settings.kafka, key.name)) for key in KEYS.values() if key.section == "kafka"}
