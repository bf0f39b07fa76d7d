"""The query service, over its engines."""

from __future__ import annotations

from collections.abc import Callable

import fleetlog
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import (
    TimedOut,
    WarehouseUnavailable,
)
from fleetlog_proto.v1 import (
    document_pb2_grpc,
    logged_model_pb2_grpc,
    query_pb2_grpc,
    registry_pb2_grpc,
)
from fleetlog_query.calls.answers import Answers
from fleetlog_query.service import QueryServicer

from fleetlog_deploy.engines import Engines
from fleetlog_deploy.parts.complaints import warehouse_complaint
from fleetlog_deploy.settings.model import QuerySettings, keys_of


class QueryPart:
    """See Part."""

    service = "fleetlog.v1.QueryService"
    services: tuple[str, ...] = (
        service,
        "fleetlog.v1.RegistryQueryService",
        "fleetlog.v1.LoggedModelQueryService",
        "fleetlog.v1.DocumentQueryService",
    )

    def __init__(
        self,
        engines: Engines,
        applied: AppliedWatch,
        telemetry: Telemetry,
        settings: QuerySettings,
        web_url: Callable[[], str] = lambda: "",
    ) -> None:
        """`web_url`: see WebAddress."""
        self._reads, self._is_watched = engines.reads, engines.generations is not None
        self._servicer = QueryServicer(
            engines.reads,
            engines.objects,
            applied,
            keys_of(settings.token_key),
            Answers(telemetry, settings.answer_bytes, settings.client_answer_bytes),
            settings.held_bytes,
            log=engines.log_if_known,
            denials=telemetry.denials,
            web_url=web_url,
            version=fleetlog.__version__,
            cores=engines.warehouse_cores,
        )

    def register(self, server: GrpcServer) -> None:
        """See Part."""
        server.add(lambda inner: query_pb2_grpc.add_QueryServiceServicer_to_server(self._servicer, inner), self.service)
        server.add(
            lambda inner: registry_pb2_grpc.add_RegistryQueryServiceServicer_to_server(self._servicer.registry, inner),
            self.services[1],
        )
        models = self._servicer.logged_models
        server.add(
            lambda inner: logged_model_pb2_grpc.add_LoggedModelQueryServiceServicer_to_server(models, inner),
            self.services[2],
        )
        documents = self._servicer.documents
        server.add(
            lambda inner: document_pb2_grpc.add_DocumentQueryServiceServicer_to_server(documents, inner),
            self.services[3],
        )

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """See Part: nothing of it runs by itself."""

    def complaint(self) -> str:
        """See Part. Parts of a server's tables may go while this runs; those of an embedded one go before it starts."""
        complaint = warehouse_complaint(self._reads)
        if complaint or not self._is_watched:
            return complaint
        try:
            return self._reads.look_again()
        except (WarehouseUnavailable, TimedOut) as error:
            return f"the warehouse does not answer: {error}"

    def degraded(self) -> str:
        """See Part."""
        return ""

    def drain(self) -> None:
        """See Part."""
        self._servicer.drain()

    async def stop(self) -> None:
        """See Part."""
        self._servicer.close()
