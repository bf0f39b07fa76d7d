"""Whether a run takes a frame: asked before a writer's first one on a stream, and again now and then."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import DeadlineExceeded
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, EventLog, LogUnavailable, Partition
from fleetlog_core.warehouse.port import TimedOut, Warehouse, WarehouseUnavailable
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_ingest.gateway.run_watch import Found, RunWatch
from fleetlog_ingest.gateway.runs import RunKey, check_admitted, opens, writer_status

_APPLIED_SECONDS = 10.0
_FRESH = (event_pb2.RUN_OPENING_UNSPECIFIED, event_pb2.RUN_OPENING_CREATE)


class Admission:
    """Asks for the streams of one gateway. Used from one event loop."""

    def __init__(
        self, log: EventLog, warehouse: Warehouse, executor: Executor, applied: AppliedWatch, watch: RunWatch
    ) -> None:
        self.watch = watch
        self._log = log
        self._warehouse = warehouse
        self._executor = executor
        self._applied = applied

    def needs_look(self, frame: frame_pb2.Frame) -> bool:
        """True if the frame, a writer's first on a stream, may be a write to a run that is there."""
        return not (self.is_fresh(frame) and self.watch.is_new((frame.namespace, frame.run_id)))

    def is_fresh(self, frame: frame_pb2.Frame) -> bool:
        """True if the frame opens a run that its writer takes for new."""
        return opens(frame) in _FRESH

    async def is_there(self, key: RunKey) -> bool:
        """True if the tables have the run, once all that the log has of it is applied; or when nobody can tell."""
        try:
            if await self.watch.look(key) is not None:
                return True
            partition = Partition(EVENTS, partition_of(key[1], self._log.partitions(EVENTS)))
            loop = asyncio.get_running_loop()
            end = await loop.run_in_executor(self._executor, self._log.next_offset, partition)
            await self._applied.wait({partition: end} if end else {}, _APPLIED_SECONDS)
            return await self.watch.look(key) is not None
        except (WarehouseUnavailable, TimedOut, LogUnavailable, DeadlineExceeded):
            return True

    async def check(self, frame: frame_pb2.Frame, *, at_work: bool, asked: asyncio.Future[Found] | None = None) -> None:
        """RUN_DELETED, RUN_FINISHED. `at_work`: the run took frames of the writer on this stream.

        WarehouseUnavailable, TimedOut: only of writers that come back to a run. What is under way goes on, and so does
        a new run, while the warehouse does not answer.
        """
        key: RunKey = (frame.namespace, frame.run_id)
        try:
            status = await self.watch.look(key, asked)
        except (WarehouseUnavailable, TimedOut):
            if at_work or opens(frame) in _FRESH:
                return
            raise
        if status is None or status.is_open or (at_work and not status.deleted):
            return
        # Of the batch that ended the run all is there once its position is applied; before that, some of its writers
        # may look like strangers.
        partition = Partition(EVENTS, partition_of(frame.run_id, self._log.partitions(EVENTS)))
        await self._applied.wait({partition: status.ver + 1}, _APPLIED_SECONDS)
        loop = asyncio.get_running_loop()
        names = (frame.namespace, frame.run_id, frame.writer_id)
        writer = await loop.run_in_executor(self._executor, writer_status, self._warehouse, *names)
        check_admitted(status, writer, frame)
