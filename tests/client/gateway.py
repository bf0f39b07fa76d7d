"""The gateway over a log in memory, behind a real port, that can be stopped, started and told to misbehave."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import FleetlogError, InvalidArgument, ResourceExhausted, Unavailable
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.status import to_status
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_ingest.gateway.service import IngestServicer
from fleetlog_proto.v1 import frame_pb2, ingest_pb2, ingest_pb2_grpc

from tests.ports import free_port
from tests.warehouses import Untouched

NOT_NOW = "an answer of UNAVAILABLE with RetryInfo, and the stream ends"
TOO_MANY = "an answer of RESOURCE_EXHAUSTED with RetryInfo, and the stream ends"
TOO_MANY_STREAMS = "the stream ends with RESOURCE_EXHAUSTED and RetryInfo"
ACK_LOST = "the log has the frame, and the stream breaks before the answer"
DROPPED = "the stream breaks before the log has the frame"
SILENT = "the log has the frame, and nothing is answered ever after"
REFUSED = "an answer of INVALID_ARGUMENT"
FAULTS = (NOT_NOW, TOO_MANY, TOO_MANY_STREAMS, ACK_LOST, DROPPED, REFUSED)

_STATUS: Mapping[str, FleetlogError] = {
    NOT_NOW: Unavailable("BACKEND_UNAVAILABLE", "not now", retry_after_seconds=0.01),
    TOO_MANY: ResourceExhausted("TOO_MANY", "slower", retry_after_seconds=0.01),
    REFUSED: InvalidArgument("REFUSED_BY_TEST", "never"),
}


class EmptyWarehouse(Untouched):
    """Knows of nothing: the gateway takes what comes."""

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        return Answer({}, 0, 0, 0)


class Gateway(IngestServicer):
    """Takes frames one by one; the next fault in `faults` hits the next frame."""

    def __init__(self, log: MemoryLog, objects: FolderStore, faults: deque[str]) -> None:
        warehouse = EmptyWarehouse()
        super().__init__(log, warehouse, objects, AppliedWatch(warehouse))
        self._faults = faults
        self.refused: list[frame_pb2.Frame] = []
        self.most_frames = 64
        """A request of more is refused as a whole, whatever the answers say."""

    async def AppendEvents(  # noqa: N802
        self, request_iterator: AsyncIterator[ingest_pb2.AppendEventsRequest], context: Context
    ) -> AsyncIterator[ingest_pb2.AppendEventsResponse]:
        async for request in request_iterator:
            if 1 + len(request.more_frames) > self.most_frames:
                yield ingest_pb2.AppendEventsResponse(status=to_status(InvalidArgument("OVER_LIMIT", "fewer")))
                continue
            fault = self._faults.popleft() if self._faults else None
            if fault == TOO_MANY_STREAMS:
                raise ResourceExhausted("TOO_MANY", "slower", retry_after_seconds=0.01)
            if fault == DROPPED:
                raise Unavailable("DROPPED", "broken")
            if fault is not None and fault in _STATUS:
                status = to_status(_STATUS[fault])
                answer = ingest_pb2.AppendEventsResponse(
                    run_id=request.frame.run_id, writer_id=request.frame.writer_id, status=status
                )
                if fault == REFUSED:
                    self.refused.append(request.frame)
                    await self._append_others(request, answer, context)
                yield answer
                if fault != REFUSED:
                    return
                continue
            async for response in super().AppendEvents(_one(request), context):
                if fault == ACK_LOST:
                    raise Unavailable("ACK_LOST", "broken")
                if fault == SILENT:
                    await asyncio.Event().wait()
                yield response

    async def _append_others(
        self, request: ingest_pb2.AppendEventsRequest, answer: ingest_pb2.AppendEventsResponse, context: Context
    ) -> None:
        """All frames of the request but the first."""
        others = request.more_frames
        if others:
            rest = ingest_pb2.AppendEventsRequest(frame=others[0], more_frames=others[1:])
            async for response in super().AppendEvents(_one(rest), context):
                answer.more_responses.append(response)
                answer.more_responses.extend(response.more_responses)
                answer.position.CopyFrom(response.position)


async def _one(request: ingest_pb2.AppendEventsRequest) -> AsyncIterator[ingest_pb2.AppendEventsRequest]:
    yield request


class House:
    """A port, behind which the gateway is, or is not."""

    def __init__(self, folder: Path) -> None:
        self.log = MemoryLog()
        self.objects = FolderStore(folder)
        self.faults: deque[str] = deque()
        self.refused: list[frame_pb2.Frame] = []
        self.most_frames = 64
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway")
        self._thread.start()
        self._up: tuple[GrpcServer, Gateway] | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def up(self) -> bool:
        return self._up is not None

    def start(self) -> None:
        if self._up is None:
            self._run(self._start())

    def stop(self) -> None:
        if self._up is not None:
            self._run(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.objects.close()

    def frames(self) -> Iterator[frame_pb2.Frame]:
        """Every record of the log; one run's in order."""
        for number in range(self.log.partitions(EVENTS)):
            for record in self.log.read(Partition(EVENTS, number), 0, max_bytes=1 << 40):
                yield frame_pb2.Frame.FromString(record.value)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30.0)

    async def _start(self) -> None:
        server = GrpcServer("127.0.0.1", self.port)
        gateway = Gateway(self.log, self.objects, self.faults)
        gateway.refused = self.refused
        gateway.most_frames = self.most_frames
        server.add(
            lambda one: ingest_pb2_grpc.add_IngestServiceServicer_to_server(gateway, one), "fleetlog.v1.IngestService"
        )
        await server.start()
        self._up = (server, gateway)

    async def _stop(self) -> None:
        if self._up is not None:
            server, gateway = self._up
            self._up = None
            await server.drain(0.0)
            gateway.close()


@contextmanager
def house(folder: Path) -> Iterator[House]:
    one = House(folder)
    try:
        one.start()
        yield one
    finally:
        one.close()
