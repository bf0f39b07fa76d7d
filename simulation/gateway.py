"""A gateway: the product's streams, intake and admission, in a process of a world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.limits import RunLimits
from fleetlog_core.serving.errors import told
from fleetlog_core.serving.status import DETAILS_KEY, code_of, status_bytes
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_ingest.gateway.admission import Admission
from fleetlog_ingest.gateway.backlog import Backlog
from fleetlog_ingest.gateway.heartbeat_pace import HeartbeatPace
from fleetlog_ingest.gateway.heartbeats import Heartbeats
from fleetlog_ingest.gateway.run_watch import RunWatch
from fleetlog_ingest.gateway.stream import AppendStream
from fleetlog_proto.v1 import ingest_pb2

from simulation.broker import Broker
from simulation.event_loop import Loop
from simulation.executors import Executor
from simulation.kernel import Process
from simulation.log import ProcessLog
from simulation.name_service import NameService
from simulation.network import Broken, Call
from simulation.tables import Tables
from simulation.unary import Unary
from simulation.warehouse import ProcessWarehouse

LOOK_SECONDS = 0.1
"""How often it looks for a position that is waited for: seldom, since each look is some events of a world."""


class Gateway:
    """One gateway; it ends with its process."""

    def __init__(
        self, process: Process, broker: Broker, tables: Tables, telemetry: Telemetry, lost_seconds: float
    ) -> None:  # fmt: skip
        self.process = process
        self._loop = Loop(process)  # type: ignore[abstract]
        self._log = ProcessLog(broker, process)
        self._telemetry = telemetry
        warehouse = ProcessWarehouse(tables, process, broker.weather)
        executor = Executor(8, "gateway")
        applied = AppliedWatch(warehouse, LOOK_SECONDS)
        self._watch = RunWatch(warehouse, executor)  # type: ignore[arg-type]
        self._admission = Admission(self._log, warehouse, executor, applied, self._watch)  # type: ignore[arg-type]
        self._names = NameService(self._log, warehouse, applied, executor)
        self._backlog = Backlog(applied)
        self._heartbeats = Heartbeats(self._log, HeartbeatPace(lambda namespace: lost_seconds))
        self._draining = asyncio.Event()
        self._calls: dict[Call, tuple[asyncio.Queue[bytes | None], asyncio.Task[None]]] = {}

    def open(self, call: Call) -> None:
        """A stream begins."""
        requests: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._calls[call] = (requests, self._loop.create_task(self._serve(call, requests)))

    def hear(self, call: Call, data: bytes) -> None:
        """A request of it came."""
        if call in self._calls:
            self._calls[call][0].put_nowait(data)

    def hang_up(self, call: Call) -> None:
        """Its client is gone."""
        if call in self._calls:
            self._calls.pop(call)[1].cancel()

    async def _serve(self, call: Call, requests: asyncio.Queue[bytes | None]) -> None:
        stream = AppendStream(
            self._log, self._admission, self._telemetry, self._draining, RunLimits(), self._backlog, self._heartbeats
        )
        try:
            async for response in stream.responses(_decoded(requests)):
                call.answer(response.SerializeToString())
        except asyncio.CancelledError:
            raise
        except Exception as error:
            call.finish(self._broken("a stream", error))
        else:
            call.finish(None)
        self._calls.pop(call, None)

    def ask(self, call: Unary, method: str, data: bytes, seconds: float) -> None:
        """A request came of a call that waits so long."""
        self._loop.create_task(self._answer(call, method, data, seconds))

    async def _answer(self, call: Unary, method: str, data: bytes, seconds: float) -> None:
        try:
            call.answer(await self._names.answer(method, data, seconds))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            call.finish(self._broken(method, error))

    def _broken(self, what: str, error: Exception) -> Broken:
        """As its client hears of the error. One that is the gateway's own ends the world."""
        known = told(error)
        if known is None:
            self.process.kernel.broke(f"{self.process.name}: {what} ended by {error!r}", error)
            return Broken(grpc.StatusCode.INTERNAL, "an internal error")
        return Broken(code_of(known), known.message, ((DETAILS_KEY, status_bytes(known)),))

    def drain(self) -> None:
        """End the streams, as a process does that is told to stop."""
        self._draining.set()
        self._watch.stop()
        self._backlog.close()


async def _decoded(requests: asyncio.Queue[bytes | None]) -> AsyncIterator[ingest_pb2.AppendEventsRequest]:
    while (data := await requests.get()) is not None:
        yield ingest_pb2.AppendEventsRequest.FromString(data)
