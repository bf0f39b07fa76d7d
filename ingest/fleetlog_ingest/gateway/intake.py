"""The frames of one stream, one after another: what each inherits, whether the log may have it, and its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from fleetlog_core.errors import FleetlogError, InvalidArgument
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import EVENTS, EventLog, Record, RecordTooLarge
from fleetlog_core.serving.status import to_status
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.keys import StreamKeys
from fleetlog_ingest.gateway.runs import check_open, needs_look
from fleetlog_ingest.gateway.screen import encoded, screen

OPEN_RUNS = 10_000
"""Of so many runs a stream remembers that they are open; then it looks once more."""


@dataclass(slots=True)
class Taken:
    """A frame on its way into the log, or refused: then only its answer is there.

    Not the frame itself: it is in the log's buffer, which is bounded, and while the log does not answer, the frames
    of streams that ended would be memory that nobody counts.
    """

    answer: ingest_pb2.AppendEventsResponse
    durable: Future[Record] | None = None
    size: int = 0
    """Bytes of its record: the log's buffer has them until it is durable, and its future as long as that is kept."""
    events: int = 0
    points: int = 0
    reasons: Sequence[str] = ()
    """Of those of its events that were refused."""


class Intake:
    """What frames inherit from those before them, and what is known of their runs."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        executor: Executor,
        telemetry: Telemetry,
        run_limits: RunLimits | None = None,
    ) -> None:
        self._log = log
        self._warehouse = warehouse
        self._executor = executor
        self._telemetry = telemetry
        self._names: tuple[str, bytes, bytes, int | None] | None = None
        self._open: set[tuple[str, bytes, bytes]] = set()
        self._keys = StreamKeys(run_limits)
        self._appended: Future[Record] | None = None
        """The last one."""

    def forget_names(self) -> None:
        """Whose the last frame was is not known, so the next one must say whose it is."""
        self._names = None

    async def take(self, frame: frame_pb2.Frame) -> Taken:
        """Give the frame to the log, or refuse it. Errors that are not the frame's are raised."""
        try:
            self._inherit(frame)
            screened = screen(frame, time.time_ns() // 1_000_000, self._keys)
            value = encoded(frame)
            await self._check_open(frame)
        except FleetlogError as error:
            self._telemetry.refused.labels(error.reason).inc()
            answer = ingest_pb2.AppendEventsResponse(
                run_id=frame.run_id, writer_id=frame.writer_id, status=to_status(error)
            )
            return Taken(answer)
        answer = ingest_pb2.AppendEventsResponse(
            run_id=frame.run_id, writer_id=frame.writer_id, durable_sequence=frame.events[-1].sequence
        )
        for sequence, refused in screened.refused:
            answer.refusals.add(sequence=sequence, status=to_status(refused))
        reasons = [refused.reason for _, refused in screened.refused]
        self._must_follow()
        self._appended = self._log.append(EVENTS, frame.run_id, value)
        return Taken(answer, self._appended, len(value), len(frame.events), screened.points, reasons)

    def _must_follow(self) -> None:
        """Nothing is appended behind a frame that failed: it would be ahead of that one when its client sends it again.

        Raises what the log said of that one. The stream ends with it, after the answers to the frames before.
        """
        last = self._appended
        error = last.exception() if last is not None and last.done() else None
        if error is not None and not isinstance(error, RecordTooLarge):
            raise error

    def _inherit(self, frame: frame_pb2.Frame) -> None:
        """A frame without ids means those of the frame before it."""
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

    async def _check_open(self, frame: frame_pb2.Frame) -> None:
        names = (frame.namespace, frame.run_id, frame.writer_id)
        if names in self._open:
            return
        if needs_look(frame):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, check_open, self._warehouse, frame)
        if len(self._open) >= OPEN_RUNS:
            self._open.clear()
        self._open.add(names)
