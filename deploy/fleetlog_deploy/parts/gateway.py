"""The gateway, over its engines."""

from __future__ import annotations

import socket
from collections.abc import Callable

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.auth.authentication import Authentication
from fleetlog_core.log.port import CONTROL, EventLog, Partition
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_ingest.gateway.caller_log import CallerLog
from fleetlog_ingest.gateway.documents import DocumentServicer
from fleetlog_ingest.gateway.heartbeat_pace import HeartbeatPace
from fleetlog_ingest.gateway.logged_models import LoggedModelServicer
from fleetlog_ingest.gateway.registry import RegistryServicer
from fleetlog_ingest.gateway.service import IngestServicer
from fleetlog_ingest.gateway.tokens import AuthServicer
from fleetlog_ingest.gateway.webhooks import WebhookServicer
from fleetlog_proto.v1 import (
    document_pb2_grpc,
    ingest_pb2_grpc,
    logged_model_pb2_grpc,
    registry_pb2_grpc,
    token_pb2_grpc,
    webhook_pb2_grpc,
)

from fleetlog_deploy.engines import Engines
from fleetlog_deploy.parts.complaints import log_complaint
from fleetlog_deploy.settings.model import WebhooksSettings
from fleetlog_deploy.webhooks import secrets_of, target_rules


class GatewayPart:
    """See Part."""

    service = "fleetlog.v1.IngestService"
    services: tuple[str, ...] = (
        service,
        "fleetlog.v1.RegistryService",
        "fleetlog.v1.WebhookService",
        "fleetlog.v1.LoggedModelService",
        "fleetlog.v1.DocumentService",
        "fleetlog.v1.AuthService",
    )

    def __init__(
        self,
        engines: Engines,
        applied: AppliedWatch,
        telemetry: Telemetry,
        webhooks: WebhooksSettings,
        authentication: Authentication | None = None,
        lost_seconds: Callable[[str], float] | None = None,
    ) -> None:
        self._log, reads = engines.log, engines.reads
        log: EventLog = engines.log if authentication is None else CallerLog(engines.log, socket.gethostname())
        pace = None if lost_seconds is None else HeartbeatPace(lost_seconds)
        self._servicer = IngestServicer(log, reads, engines.objects, applied, telemetry=telemetry, pace=pace)
        self._registry = RegistryServicer(log, reads, applied)
        self._webhooks = WebhookServicer(log, reads, applied, secrets_of(webhooks), target_rules(webhooks))
        self._logged_models = LoggedModelServicer(log, reads, applied)
        self._documents = DocumentServicer(log, reads, applied)
        self._auth = AuthServicer(log, reads, applied, authentication, telemetry.denials)

    def register(self, server: GrpcServer) -> None:
        """See Part."""
        server.add(
            lambda inner: ingest_pb2_grpc.add_IngestServiceServicer_to_server(self._servicer, inner), self.service
        )
        server.add(
            lambda inner: registry_pb2_grpc.add_RegistryServiceServicer_to_server(self._registry, inner),
            self.services[1],
        )
        server.add(
            lambda inner: webhook_pb2_grpc.add_WebhookServiceServicer_to_server(self._webhooks, inner),
            self.services[2],
        )
        server.add(
            lambda inner: logged_model_pb2_grpc.add_LoggedModelServiceServicer_to_server(self._logged_models, inner),
            self.services[3],
        )
        server.add(
            lambda inner: document_pb2_grpc.add_DocumentServiceServicer_to_server(self._documents, inner),
            self.services[4],
        )
        server.add(lambda inner: token_pb2_grpc.add_AuthServiceServicer_to_server(self._auth, inner), self.services[5])

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """See Part: nothing of it runs by itself."""

    def complaint(self) -> str:
        """See Part. Without the warehouse it still makes durable what new runs send, so that is not asked."""
        return self._log.complaint() or log_complaint(lambda: self._log.next_offset(Partition(CONTROL, 0)))

    def degraded(self) -> str:
        """See Part."""
        return ""

    def drain(self) -> None:
        """See Part."""
        self._servicer.drain()

    async def stop(self) -> None:
        """See Part."""
        self._servicer.close()
        self._registry.close()
        self._webhooks.close()
        self._logged_models.close()
        self._documents.close()
        self._auth.close()
