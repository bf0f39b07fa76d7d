"""One process of fleetlog: some parts behind one gRPC port, with health, readiness, numbers and a drain."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.auth.authentication import CYCLE_SECONDS, Authentication
from fleetlog_core.rates.limiter import Limiter
from fleetlog_core.serving.authorization import AuthorizationInterceptor
from fleetlog_core.serving.metrics_port import MetricsPort
from fleetlog_core.serving.rate_limits import LimitsInterceptor
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import TimedOut, WarehouseUnavailable

from fleetlog_deploy.engines import Engines
from fleetlog_deploy.exposure import metrics_tls_files, tls_files
from fleetlog_deploy.parts.complaints import LOOK_SECONDS
from fleetlog_deploy.parts.part import Part
from fleetlog_deploy.settings.limits import server_limits
from fleetlog_deploy.settings.model import Settings
from fleetlog_deploy.web import WebPort, dialled

diagnostics = logging.getLogger(__name__)
LOOK_EVERY_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.1
"""Seconds until the look after one that found a complaint; each look that finds it still there waits twice as long."""
STARTING, DRAINING = "starting", "draining"


class Superseded(Exception):
    """Another generation of the tables is current by now: everything that knows this one is to be made anew."""


class Node:
    """Parts over engines, which it closes at the end. Used from one event loop.

    gRPC health: "" serves while the process does; a part's service while the part can do its job.
    """

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        engines: Engines,
        parts: Sequence[Part],
        applied: AppliedWatch,
        web: WebPort | None = None,
        authentication: Authentication | None = None,
    ) -> None:
        """`web` is the HTTP port, which asks this process where its settings name no other.

        `authentication`: None = nobody is asked who they are.
        """
        self.telemetry = telemetry
        self.failure: BaseException | None = None
        """What ended a part, when something did."""
        self.failed = asyncio.Event()
        self.metrics_port: int | None = None
        """Where /metrics is, once it is started."""
        self.web_port: int | None = None
        """Where the web UI is, once it is started."""
        self.engines = engines
        self.limiter = Limiter(server_limits(settings.limits))
        """What callers and namespaces may have; it can be told of other limits while this serves."""
        self._web = web
        self._settings = settings
        self._parts = parts
        self._applied = applied
        self._drain_seconds = settings.server.drain_seconds
        self._complaint, self._degraded = STARTING, ""
        self._told: set[str] = {STARTING}
        """Kinds of complaints, as far as they were told since the process was ready last."""
        self._authorization = (
            None if authentication is None else AuthorizationInterceptor(authentication, telemetry.denials)
        )
        tls = tls_files(settings.server)
        # The HTTP port has no certificate to show to the gRPC port beside it, and needs none.
        self._folder = None if web is None or tls is None else tempfile.TemporaryDirectory(prefix="fleetlog-")
        self._local = None if self._folder is None else Path(self._folder.name) / "grpc"
        self._server = GrpcServer(
            settings.server.host,
            settings.server.port,
            telemetry,
            connection_age_seconds=settings.server.connection_age_seconds,
            tls=tls,
            authorization=self._authorization,
            limits=LimitsInterceptor(self.limiter, telemetry),
            local=self._local,
        )
        for part in parts:
            part.register(self._server)
        self._metrics: MetricsPort | None = None
        if settings.metrics.port is not None:
            host, port = settings.metrics.host, settings.metrics.port
            self._metrics = MetricsPort(
                host, port, telemetry, self.complaint, self.degraded, metrics_tls_files(settings.metrics)
            )
        self._looking: asyncio.Future[tuple[None, None]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def complaint(self) -> str:
        """Why the process can't do its job, by the last look; empty when it can. From any thread."""
        return self._complaint

    def degraded(self) -> str:
        """What the process can't do though it is ready, by the last look; empty when it can do all. From any thread."""
        return self._degraded

    def generation(self) -> int:
        """Number of the generation of the tables that it uses; 0 where there are none, or when it found none yet."""
        try:
            return 0 if self.engines.generations is None else self.engines.generation()
        except (WarehouseUnavailable, TimedOut):
            return 0

    async def start(self) -> int:
        """Serve; the port. PortTaken, TlsRefused."""
        self._loop = asyncio.get_running_loop()
        if self._metrics is not None:
            self.metrics_port = self._metrics.start()
        if self._authorization is not None:
            await self._authorization.refresh()
        port = await self._server.start()
        for part in self._parts:
            part.start(self._fail)
        if self._web is not None:
            target = dialled(self._settings.server.host, port) if self._local is None else f"unix:{self._local}"
            query, ingest = self._settings.web.query or target, self._settings.web.ingest or target
            self.web_port = await self._web.start(query, ingest)
        await self._look()
        self._looking = asyncio.gather(self._keep_looking(), self._keep_authenticated())
        return port

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Drain and close. Everything that was acknowledged is in the log; what is not applied yet is next time."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        self._complaint = DRAINING
        for part in self._parts:
            part.drain()
        grace = self._drain_seconds if grace_seconds is None else grace_seconds
        if self._web is not None:
            await self._web.stop(grace)
        await self._server.drain(grace)
        if self._folder is not None:
            self._folder.cleanup()
        await self._applied.close()
        for part in self._parts:
            await part.stop()
        await asyncio.to_thread(self.engines.close)
        await asyncio.to_thread(self.telemetry.traces.close)
        if self._metrics is not None:
            self._metrics.stop()

    def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.failed.set)

    async def _keep_looking(self) -> None:
        pause = LOOK_AGAIN_SECONDS
        while True:
            # Whoever waits until it is ready, at a start or after an outage, sees it soon.
            await asyncio.sleep(pause if self._complaint else LOOK_EVERY_SECONDS)
            await self._look()
            pause = min(2 * pause, LOOK_EVERY_SECONDS) if self._complaint else LOOK_AGAIN_SECONDS

    async def _keep_authenticated(self) -> None:
        while self._authorization is not None:
            await asyncio.sleep(CYCLE_SECONDS)
            await self._authorization.refresh()

    async def _look(self) -> None:
        if reason := await asyncio.to_thread(self.engines.superseded):
            self._fail(Superseded(reason))
        complaints = []
        for part in self._parts:
            complaint = await self._ask(part)
            for service in part.services:
                await self._server.tell(service, serving=not complaint)
            if complaint:
                complaints.append(complaint)
        waits = [waiting for part in self._parts if (waiting := part.degraded())]
        self._tell("not ready", complaints)
        self._tell("ready, but", waits)
        if not complaints and not waits and self._told:
            diagnostics.info("ready")
            self._told.clear()
        self._complaint, self._degraded = "; ".join(dict.fromkeys(complaints)), "; ".join(dict.fromkeys(waits))

    def _tell(self, what: str, complaints: Sequence[str]) -> None:
        """A line when a complaint begins, and none while it goes on, however often it is found again in other words."""
        for complaint in dict.fromkeys(complaints):
            kind = complaint.partition(":")[0]
            if kind not in self._told:
                diagnostics.warning("%s: %s", what, complaint)
                self._told.add(kind)

    async def _ask(self, part: Part) -> str:
        try:
            async with asyncio.timeout(2 * LOOK_SECONDS):
                return await asyncio.to_thread(part.complaint)
        except TimeoutError:
            return f"no answer within {2 * LOOK_SECONDS:.0f} s"
        except Exception as error:  # a look that fails in its own way is no reason to stop serving
            kind = f"a look at {part.service} failed"
            if kind not in self._told:
                diagnostics.exception("%s", kind)
                self._told.add(kind)
            return f"{kind}: {type(error).__name__}"
