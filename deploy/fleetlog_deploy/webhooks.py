"""The part that tells webhooks of changes of registered models."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from fleetlog_core.log.port import CONTROL
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.webhooks.posting import TargetRules
from fleetlog_core.webhooks.secrets import Secrets
from fleetlog_ingest.webhooks.deliverer import Deliverer

from fleetlog_deploy.engines import Engines
from fleetlog_deploy.settings.model import WebhooksSettings, keys_of

JOIN_SECONDS = 60.0
"""Seconds that deliveries which are under way may take to end."""


class WebhooksPart:
    """See fleetlog_deploy.parts.part.Part. It serves nothing but health."""

    service = "fleetlog.v1.Webhooks"
    services: tuple[str, ...] = (service,)

    def __init__(self, engines: Engines, telemetry: Telemetry, settings: WebhooksSettings) -> None:
        self._deliverer = Deliverer(
            engines.log,
            engines.warehouse,
            engines.reads.select,
            secrets_of(settings),
            target_rules(settings),
            settings.group,
            telemetry=telemetry,
        )
        self._thread: threading.Thread | None = None

    def register(self, server: GrpcServer) -> None:
        """See Part."""
        server.add(lambda inner: None, self.service)

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """See Part."""

        def work() -> None:
            try:
                self._deliverer.run()
            except BaseException as error:  # told by whoever runs the process
                failed(error)

        self._thread = threading.Thread(target=work, name="webhooks", daemon=True)
        self._thread.start()

    def complaint(self) -> str:
        """See Part. An engine that is away is no complaint: others of the process tell it, and deliveries wait."""
        if self._thread is None or not self._thread.is_alive():
            return f"webhooks are not told of what the topic {CONTROL} has"
        return ""

    def degraded(self) -> str:
        """See Part."""
        outage = self._deliverer.outage
        return f"webhooks are not told of anything for now: {outage}" if outage else ""

    def drain(self) -> None:
        """See Part: as long as others may write, it goes on."""

    async def stop(self) -> None:
        """See Part. What was not told yet is told by the next member."""
        self._deliverer.stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, JOIN_SECONDS)


def secrets_of(settings: WebhooksSettings) -> Secrets | None:
    """Returns what encrypts secrets; None when there is no key."""
    return Secrets(keys_of(settings.secret_key)) if settings.secret_key else None


def target_rules(settings: WebhooksSettings) -> TargetRules:
    """Returns which targets may be told."""
    return TargetRules(settings.allow_http, settings.allow_private)
