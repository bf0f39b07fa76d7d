"""Opening clients of the driver, so that one that can't connect leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.sockets import DIRECT
from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.unavailable import shortage_of

T = TypeVar("T")


def opened(make: Callable[..., T], settings: KafkaSettings, **options: object) -> T:
    """`make` (a class of the driver) connected to the cluster. LogUnavailable after `connect_seconds`.

    The driver starts a thread before it connects, and lets it run when it can't: whoever tries for hours would have
    hundreds. So the part with the thread is made here, and closed when the rest fails.
    """
    parts: list[KafkaNetClient] = []

    def part(**given: object) -> KafkaNetClient:
        parts.append(KafkaNetClient(**given))
        return parts[-1]

    try:
        return make(**settings.connection(), **options, proxy_url=DIRECT, kafka_client=part)
    except (KafkaError, OSError, RuntimeError, MemoryError) as error:
        for made in parts:
            made.close()
        where = ",".join(settings.bootstrap)
        raise LogUnavailable(f"Kafka at {where}: {named(error)}", shortage=shortage_of(error)) from error


def named(error: BaseException) -> str:
    """An error of the driver in a few words."""
    return f"{type(error).__name__}: {str(error)[:200]}"
