"""AppendEvents: frames in, their fates out, in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass

from fleetlog_core.errors import FleetlogError, InvalidArgument, ResourceExhausted, Unavailable
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import EVENTS, EventLog, Record, RecordTooLarge
from fleetlog_core.position import after, to_proto
from fleetlog_core.serving.errors import refuse_undecodable
from fleetlog_core.serving.status import to_status
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import ingest_pb2

from fleetlog_ingest.gateway.keys import StreamKeys
from fleetlog_ingest.gateway.runs import check_open, needs_look
from fleetlog_ingest.gateway.screen import Screened, encoded, screen

FRAMES_IN_FLIGHT = 64
"""Frames of one stream that wait for the log: enough for one commit to take many, few enough to bound memory."""


@dataclass
class _Taken:
    """A frame on its way into the log, or refused."""

    response: ingest_pb2.AppendEventsResponse
    screened: Screened | None
    durable: asyncio.Future[Record] | None
    taken_at: float


class AppendStream:
    """One stream: what it inherits from frame to frame, and what waits for the log."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        executor: Executor,
        telemetry: Telemetry,
        draining: asyncio.Event,
        run_limits: RunLimits | None = None,
    ) -> None:
        self._log = log
        self._warehouse = warehouse
        self._executor = executor
        self._telemetry = telemetry
        self._draining = draining
        self._names: tuple[str, bytes, bytes, int | None] | None = None
        self._seen: set[tuple[str, bytes, bytes]] = set()
        self._keys = StreamKeys(run_limits)

    async def responses(
        self, requests: AsyncIterator[ingest_pb2.AppendEventsRequest]
    ) -> AsyncIterator[ingest_pb2.AppendEventsResponse]:
        """One response a request. Unavailable DRAINING, after what was taken is answered, when the gateway stops."""
        waiting: asyncio.Queue[_Taken | BaseException | None] = asyncio.Queue(FRAMES_IN_FLIGHT)
        reader = asyncio.create_task(self._read(requests, waiting))
        drainer = asyncio.create_task(self._drain(reader, waiting))
        try:
            while True:
                taken = await waiting.get()
                if taken is None:
                    return
                if isinstance(taken, BaseException):
                    raise taken
                yield await self._finish(taken)
        finally:
            reader.cancel()
            drainer.cancel()

    async def _drain(self, reader: asyncio.Task[None], waiting: asyncio.Queue[_Taken | BaseException | None]) -> None:
        await self._draining.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await waiting.put(Unavailable("DRAINING", "the server is stopping; send what has no answer to another one"))

    async def _read(
        self,
        requests: AsyncIterator[ingest_pb2.AppendEventsRequest],
        waiting: asyncio.Queue[_Taken | BaseException | None],
    ) -> None:
        try:
            async for request in requests:
                await waiting.put(await self._take(request))
            await waiting.put(None)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # handed to the responses, where the stream ends with it
            await waiting.put(error)

    async def _take(self, request: ingest_pb2.AppendEventsRequest) -> _Taken:
        begun = time.monotonic()
        try:
            refuse_undecodable(request)
        except InvalidArgument as error:
            # Whose frame it was is not known, so the next one must say whose it is.
            self._names = None
            self._telemetry.refused.labels(error.reason).inc()
            return _Taken(ingest_pb2.AppendEventsResponse(status=to_status(error)), None, None, begun)
        frame = request.frame
        try:
            self._inherit(request)
            screened = screen(frame, time.time_ns() // 1_000_000, self._keys)
            value = encoded(frame)
            await self._check_open(request)
        except FleetlogError as error:
            self._telemetry.refused.labels(error.reason).inc()
            response = ingest_pb2.AppendEventsResponse(
                run_id=frame.run_id, writer_id=frame.writer_id, status=to_status(error)
            )
            return _Taken(response, None, None, begun)
        response = ingest_pb2.AppendEventsResponse(
            run_id=frame.run_id,
            writer_id=frame.writer_id,
            durable_sequence=frame.events[-1].sequence,
            refusals=[
                ingest_pb2.EventRefusal(sequence=sequence, status=to_status(error))
                for sequence, error in screened.refused
            ],
        )
        durable = asyncio.wrap_future(self._log.append(EVENTS, frame.run_id, value))
        return _Taken(response, screened, durable, begun)

    def _inherit(self, request: ingest_pb2.AppendEventsRequest) -> None:
        """A frame without ids means those of the frame before it."""
        frame = request.frame
        if frame.run_id or frame.writer_id:
            rank = frame.rank if frame.HasField("rank") else None
            self._names = (frame.namespace, frame.run_id, frame.writer_id, rank)
        elif self._names is None:
            raise InvalidArgument.of_field(
                "INVALID_ID", "frame.run_id", "the first frame of a stream names run and writer"
            )
        else:
            frame.namespace, frame.run_id, frame.writer_id, rank = self._names
            if rank is not None:
                frame.rank = rank

    async def _check_open(self, request: ingest_pb2.AppendEventsRequest) -> None:
        frame = request.frame
        names = (frame.namespace, frame.run_id, frame.writer_id)
        if names in self._seen:
            return
        if needs_look(frame):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, check_open, self._warehouse, frame)
        self._seen.add(names)

    async def _finish(self, taken: _Taken) -> ingest_pb2.AppendEventsResponse:
        if taken.durable is None or taken.screened is None:
            return taken.response
        try:
            record = await taken.durable
        except RecordTooLarge as error:
            refused = ResourceExhausted("FRAME_TOO_LARGE", f"{error}; split it")
            self._telemetry.refused.labels(refused.reason).inc()
            taken.response.durable_sequence = 0
            taken.response.status.CopyFrom(to_status(refused))
            return taken.response
        taken.response.position.CopyFrom(to_proto(after(record)))
        telemetry = self._telemetry
        telemetry.frames.inc()
        telemetry.events.inc(len(taken.screened.frame.events))
        telemetry.points.inc(taken.screened.points)
        for _, refusal in taken.screened.refused:
            telemetry.refused.labels(refusal.reason).inc()
        telemetry.ack_seconds.observe(time.monotonic() - taken.taken_at)
        return taken.response
