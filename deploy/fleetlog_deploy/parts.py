"""What fleetlog is made of: the gateway, the materializer and the query service, each over its engines.

`fleetlog up` runs all three in one process, `fleetlog serve` one of them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Protocol

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.auth.authentication import Authentication
from fleetlog_core.decisions import Decisions
from fleetlog_core.log.port import CONTROL, EventLog, LogUnavailable, Partition
from fleetlog_core.readers import Readers
from fleetlog_core.rebuilds import NotWhole
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.checkpoints import Checkpoints, loss
from fleetlog_core.warehouse.durability import Disk
from fleetlog_core.warehouse.migrate import migrations
from fleetlog_core.warehouse.port import (
    DatabaseMissing,
    Statement,
    TimedOut,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)
from fleetlog_ingest.checkpointing import Checkpointing
from fleetlog_ingest.gateway.caller_log import CallerLog
from fleetlog_ingest.gateway.documents import DocumentServicer
from fleetlog_ingest.gateway.logged_models import LoggedModelServicer
from fleetlog_ingest.gateway.registry import RegistryServicer
from fleetlog_ingest.gateway.service import IngestServicer
from fleetlog_ingest.gateway.tokens import AuthServicer
from fleetlog_ingest.gateway.webhooks import WebhookServicer
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer, WarehouseBehind
from fleetlog_ingest.materializer.loop.lost_runs import LostRuns
from fleetlog_proto.v1 import (
    document_pb2_grpc,
    ingest_pb2_grpc,
    logged_model_pb2_grpc,
    query_pb2_grpc,
    registry_pb2_grpc,
    token_pb2_grpc,
    webhook_pb2_grpc,
)
from fleetlog_query.calls.answers import Answers
from fleetlog_query.service import QueryServicer

from fleetlog_deploy.engines import Engines
from fleetlog_deploy.settings.model import MaterializerSettings, QuerySettings, WebhooksSettings
from fleetlog_deploy.webhooks import secrets_of, target_rules

LOOK_SECONDS = 5.0
"""The longest that a look at an engine takes before the engine counts as silent."""
PROBE_SECONDS = 2.0
TURN_SECONDS = 120.0
"""A materializer's loop that does not come round for so long does not do its job."""


class Part(Protocol):
    """One of the three. All is called from the event loop, but for `complaint`."""

    service: str
    """Full name of its gRPC service; its health is told under this name."""
    services: tuple[str, ...]
    """Full names of all that it serves, the one above first: their health is its health."""

    def register(self, server: GrpcServer) -> None:
        """Add what it serves, before the server starts."""
        ...

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Begin. `failed` is called, from any thread, when it can't go on and needs a person."""
        ...

    def complaint(self) -> str:
        """Why it can't do its job; empty when it can. Blocks for as long as engines take to answer."""
        ...

    def degraded(self) -> str:
        """What it can't do for the time being, though its job it can; empty when it can do all. Does not block."""
        ...

    def drain(self) -> None:
        """Take nothing new; end what would not end by itself."""
        ...

    async def stop(self) -> None:
        """End, when the server has stopped."""
        ...


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
    ) -> None:
        self._log, reads = engines.log, engines.reads
        log: EventLog = engines.log if authentication is None else CallerLog(engines.log, socket.gethostname())
        self._servicer = IngestServicer(log, reads, engines.objects, applied, telemetry=telemetry)
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


class QueryPart:
    """See Part."""

    service = "fleetlog.v1.QueryService"
    services: tuple[str, ...] = (
        service,
        "fleetlog.v1.RegistryQueryService",
        "fleetlog.v1.LoggedModelQueryService",
        "fleetlog.v1.DocumentQueryService",
    )

    def __init__(self, engines: Engines, applied: AppliedWatch, telemetry: Telemetry, settings: QuerySettings) -> None:
        self._reads, self._is_watched = engines.reads, engines.generations is not None
        self._servicer = QueryServicer(
            engines.reads,
            engines.objects,
            applied,
            bytes.fromhex(settings.token_key),
            Answers(telemetry, settings.answer_bytes, settings.client_answer_bytes),
            settings.held_bytes,
            log=engines.log_if_known,
            denials=telemetry.denials,
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


class MaterializerPart:
    """See Part. It serves nothing but health."""

    service = "fleetlog.v1.Materializer"
    services: tuple[str, ...] = (service,)

    def __init__(
        self,
        engines: Engines,
        telemetry: Telemetry,
        settings: MaterializerSettings,
        group: str,
        on_applied: Callable[[Partition, int], None],
        disk: Disk | None = None,
        readers: Readers | None = None,
        decisions: Decisions | None = None,
    ) -> None:
        """`readers`: all that there are of the tables, which are in this process then. `decisions`: those that this
        process waits for.
        """
        self._log, self._warehouse = engines.log, engines.warehouse
        self._is_watched = engines.generations is not None
        self._failed: Callable[[BaseException], None] = lambda error: None
        boot, sync = (disk.boot, disk.sync) if disk else ("", _is_on_disk)
        self._checkpoints = Checkpoints(engines.warehouse, boot, sync) if engines.has_checkpoints else None
        self._checkpointing: Checkpointing | None = None

        def applied(partition: Partition, next_offset: int) -> None:
            on_applied(partition, next_offset)
            if self._checkpointing is not None:
                self._checkpointing.poke()

        self._materializer = Materializer(
            engines.log,
            engines.warehouse,
            engines.objects,
            group=group,
            on_applied=applied,
            telemetry=telemetry,
            policy=BatchPolicy(
                target_weight=settings.batch_rows,
                max_wait_seconds=settings.batch_wait_seconds,
                unread_rest_seconds=settings.unread_rest_seconds,
            ),
            readers=readers,
            decisions=decisions,
            lost_runs=LostRuns(
                engines.log, engines.warehouse, settings.lost_seconds_by, look_seconds=settings.look_seconds
            ),
        )
        self._thread: threading.Thread | None = None

    def register(self, server: GrpcServer) -> None:
        """See Part."""
        server.add(lambda inner: None, self.service)

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """See Part."""

        def work() -> None:
            try:
                self._materializer.run()
            except BaseException as error:  # told by whoever runs the process
                failed(error)

        self._failed = failed
        if self._checkpoints is not None:
            self._checkpointing = Checkpointing(self._checkpoints, failed)
            self._checkpointing.start()
        self._thread = threading.Thread(target=work, name="materializer", daemon=True)
        self._thread.start()

    def complaint(self) -> str:
        """See Part."""
        if self._thread is None or not self._thread.is_alive():
            return "the materializer does not run"
        if self._is_watched and (lost := self._look_for_losses()):
            return lost
        if outage := self._materializer.outage():
            return outage
        if self._materializer.idle_seconds() > TURN_SECONDS:
            return f"the materializer has not come round for more than {TURN_SECONDS:.0f} s"
        return warehouse_complaint(self._warehouse) or log_complaint(
            lambda: self._log.next_offset(Partition(CONTROL, 0))
        )

    def degraded(self) -> str:
        """See Part: artifacts that wait for their store."""
        return self._materializer.degraded()

    def drain(self) -> None:
        """See Part: as long as others may write, it goes on."""

    async def stop(self) -> None:
        """See Part. A batch that is under way is finished, or done again by the next member."""
        self._materializer.stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 60.0)
        if self._checkpointing is not None:
            await asyncio.to_thread(self._checkpointing.close)

    def _look_for_losses(self) -> str:
        """What a server's tables lost, while inserts may fail for that very reason; the part has failed then."""
        try:
            # One that hangs is told by those who come after, whose looks are as short.
            self._warehouse.select(Statement("SELECT 1 AS one"), timeout_seconds=PROBE_SECONDS)
            reason = loss(self._warehouse, boot="")
        except DatabaseMissing:
            reason = "its database is gone"
        except (WarehouseUnavailable, TimedOut, ValueError):
            return ""
        if reason:
            self._failed(WarehouseBehind(f"the warehouse lost rows: {reason}"))
        return reason


def _is_on_disk() -> None:
    """A ClickHouse server has it there when an insert returns."""


def log_complaint(look: Callable[[], object]) -> str:
    """Why the log can't be used; empty when it can."""
    try:
        look()
    except LogUnavailable as error:
        return f"the log does not answer: {error}"
    return ""


def warehouse_complaint(warehouse: Warehouse) -> str:
    """Why the warehouse can't be used; empty when it can."""
    try:
        done = warehouse.select(Statement("SELECT name FROM migrations"), timeout_seconds=LOOK_SECONDS)
    except NotWhole as error:
        return str(error)
    except (WarehouseUnavailable, TimedOut) as error:
        return f"the warehouse does not answer: {error}"
    except WarehouseRefused:
        return "the warehouse has no tables yet; a materializer makes them"
    missing = sorted(migrations().keys() - set(done.texts("name")))
    return f"the warehouse lacks {missing[0]}; a materializer of this version makes it" if missing else ""
