"""AppendEvents: frames in, their fates out, in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from fleetlog_core.errors import FleetlogError, InvalidArgument, ResourceExhausted
from fleetlog_core.log.port import EVENTS, EventLog, Record, RecordTooLarge
from fleetlog_core.position import after, to_proto
from fleetlog_core.serving.status import to_status
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.durable import durable
from fleetlog_ingest.gateway.in_flight import InFlight
from fleetlog_ingest.gateway.runs import check_open, needs_look
from fleetlog_ingest.gateway.screen import Screened, screen

WRITERS_REMEMBERED = 10_000
"""Writers of a stream whose run was looked up already; the oldest are looked up again."""


@dataclass(slots=True)
class _Taken:
    """A frame on its way into the log; without `screened` and `logged` it is refused."""

    response: ingest_pb2.AppendEventsResponse
    size_bytes: int
    taken_at: float
    screened: Screened | None = None
    logged: asyncio.Future[Record] | None = None


class AppendStream:
    """One stream: what it inherits from frame to frame, and what waits for the log."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        executor: Executor,
        telemetry: Telemetry,
        clock: Callable[[], int],
    ) -> None:
        self._log = log
        self._warehouse = warehouse
        self._executor = executor
        self._telemetry = telemetry
        self._clock = clock
        self._names: tuple[str, bytes, bytes, int | None] | None = None
        self._seen: dict[tuple[str, bytes, bytes], None] = {}
        self._in_flight = InFlight()

    async def responses(
        self, requests: AsyncIterator[ingest_pb2.AppendEventsRequest]
    ) -> AsyncGenerator[ingest_pb2.AppendEventsResponse, None]:
        """One response a request, in order. What ends the reading ends the stream, after what was taken before."""
        taken: asyncio.Queue[_Taken | None] = asyncio.Queue()
        reader = asyncio.create_task(self._read(requests, taken))
        try:
            while (one := await taken.get()) is not None:
                yield await self._finish(one)
                self._in_flight.leave(one.size_bytes)
            await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(
        self, requests: AsyncIterator[ingest_pb2.AppendEventsRequest], taken: asyncio.Queue[_Taken | None]
    ) -> None:
        try:
            async for request in requests:
                size_bytes = request.ByteSize()
                await self._in_flight.enter(size_bytes)
                taken.put_nowait(await self._take(request.frame, size_bytes))
        finally:
            taken.put_nowait(None)

    async def _take(self, frame: frame_pb2.Frame, size_bytes: int) -> _Taken:
        begun = time.monotonic()
        try:
            self._inherit(frame)
            screened = screen(frame, size_bytes, self._clock())
            await self._check_open(frame)
        except FleetlogError as error:
            return _Taken(self._refusal(frame, error), size_bytes, begun)
        response = ingest_pb2.AppendEventsResponse(
            run_id=frame.run_id,
            writer_id=frame.writer_id,
            durable_sequence=screened.last_sequence,
            refusals=[
                ingest_pb2.EventRefusal(sequence=sequence, status=to_status(error))
                for sequence, error in screened.refused
            ],
        )
        logged = durable(self._log.append(EVENTS, frame.run_id, screened.value))
        return _Taken(response, size_bytes, begun, screened, logged)

    def _inherit(self, frame: frame_pb2.Frame) -> None:
        """A frame without ids means those of the frame before it."""
        if frame.run_id or frame.writer_id:
            rank = frame.rank if frame.HasField("rank") else None
            self._names = (frame.namespace, frame.run_id, frame.writer_id, rank)
        elif self._names is None:
            raise InvalidArgument.of_field(
                "INVALID_ID", "frame.run_id", "is empty; the first frame of a stream names run and writer"
            )
        else:
            frame.namespace, frame.run_id, frame.writer_id, rank = self._names
            if rank is None:
                frame.ClearField("rank")
            else:
                frame.rank = rank

    async def _check_open(self, frame: frame_pb2.Frame) -> None:
        names = (frame.namespace, frame.run_id, frame.writer_id)
        if names in self._seen:
            return
        if needs_look(frame):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, check_open, self._warehouse, frame)
        if len(self._seen) >= WRITERS_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[names] = None

    async def _finish(self, taken: _Taken) -> ingest_pb2.AppendEventsResponse:
        screened, logged, response = taken.screened, taken.logged, taken.response
        if screened is None or logged is None:
            return response
        try:
            record = await logged
        except RecordTooLarge:
            error = ResourceExhausted("FRAME_TOO_LARGE", "the frame is larger than the log takes; send several")
            return self._refusal(frame_pb2.Frame(run_id=response.run_id, writer_id=response.writer_id), error)
        response.position.CopyFrom(to_proto(after(record)))
        telemetry = self._telemetry
        telemetry.frames.inc()
        telemetry.events.inc(screened.events)
        telemetry.points.inc(screened.points)
        for _, refused in screened.refused:
            telemetry.refused.labels(refused.reason).inc()
        telemetry.ack_seconds.observe(time.monotonic() - taken.taken_at)
        return response

    def _refusal(self, frame: frame_pb2.Frame, error: FleetlogError) -> ingest_pb2.AppendEventsResponse:
        """The ids are those of the frame, cut when they are none: 4 MB of them must not come back."""
        self._telemetry.refused.labels(error.reason).inc()
        return ingest_pb2.AppendEventsResponse(
            run_id=frame.run_id[:16], writer_id=frame.writer_id[:16], status=to_status(error)
        )
