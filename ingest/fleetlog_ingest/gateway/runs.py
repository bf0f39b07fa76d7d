"""What the gateway asks of a run before it takes writes to it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import FailedPrecondition, NotFound
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import event_pb2, frame_pb2

_RUN = """
SELECT state, deleted FROM runs FINAL
WHERE namespace = {namespace:String} AND run_id = unhex({run:String}) AND experiment IN (
    SELECT experiment FROM run_homes WHERE namespace = {namespace:String} AND run_id = unhex({run:String}))
"""
_WRITER = """
SELECT count() AS n FROM writers
WHERE namespace = {namespace:String} AND run_id = unhex({run:String}) AND writer_id = unhex({writer:String})
"""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run as the warehouse has it."""

    state: int
    deleted: bool


def run_status(warehouse: Warehouse, namespace: str, run_id: bytes) -> RunStatus | None:
    """None when the namespace has no such run (yet)."""
    answer = warehouse.select(Statement(_RUN, {"namespace": namespace, "run": run_id.hex()}))
    if answer.rows == 0:
        return None
    return RunStatus(int(answer.array("state")[0]), bool(answer.array("deleted")[0]))


class Runs:
    """Runs as of now: what was acknowledged before a question is part of its answer."""

    def __init__(self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch, executor: Executor) -> None:
        self._log = log
        self._warehouse = warehouse
        self._applied = applied
        self._executor = executor

    async def status(self, namespace: str, run_id: bytes, timeout_seconds: float) -> RunStatus:
        """NotFound when the namespace has no such run, also after everything that is in the log was applied."""
        loop = asyncio.get_running_loop()
        status = await loop.run_in_executor(self._executor, run_status, self._warehouse, namespace, run_id)
        if status is None:
            end = await loop.run_in_executor(self._executor, self._end)
            await self._applied.wait(end, timeout_seconds)
            status = await loop.run_in_executor(self._executor, run_status, self._warehouse, namespace, run_id)
        if status is None:
            raise run_not_found(run_id)
        return status

    def _end(self) -> dict[Partition, int]:
        partitions = (Partition(EVENTS, number) for number in range(self._log.partitions(EVENTS)))
        return {partition: self._log.next_offset(partition) for partition in partitions}


def run_deleted(run_id: bytes) -> FailedPrecondition:
    """What a write to a deleted run gets."""
    return FailedPrecondition("RUN_DELETED", f"run {run_id.hex()} is deleted; restore it to write to it")


def run_not_found(run_id: bytes) -> NotFound:
    """The one text for a run that is not there, and for one of another namespace."""
    return NotFound("RUN_NOT_FOUND", f"there is no run {run_id.hex()} in this namespace")


def needs_look(frame: frame_pb2.Frame) -> bool:
    """Whether a writer's first frame on a stream may be a write to a run that ended: all but a new run's first."""
    event = frame.events[0]
    opening = event.run_started.opening
    fresh = (event_pb2.RUN_OPENING_UNSPECIFIED, event_pb2.RUN_OPENING_CREATE)
    return not (event.sequence == 1 and event.HasField("run_started") and opening in fresh)


def check_open(warehouse: Warehouse, frame: frame_pb2.Frame) -> None:
    """RUN_DELETED; RUN_FINISHED when the run ended, the writer is new to it and does not resume it.

    A writer that was at work when the run ended may deliver what it still holds: nothing is lost by a rank that
    finishes early. A run that is not known yet is taken as it comes.
    """
    status = run_status(warehouse, frame.namespace, frame.run_id)
    if status is None:
        return
    if status.deleted:
        raise run_deleted(frame.run_id)
    if status.state == event_pb2.RUN_STATE_RUNNING:
        return
    event = frame.events[0]
    if event.HasField("run_started") and event.run_started.opening == event_pb2.RUN_OPENING_RESUME:
        return
    writer = {"namespace": frame.namespace, "run": frame.run_id.hex(), "writer": frame.writer_id.hex()}
    if warehouse.select(Statement(_WRITER, writer)).array("n")[0] == 0:
        raise FailedPrecondition(
            "RUN_FINISHED", f"run {frame.run_id.hex()} has ended; start_run(run_id=…, resume=True) goes on with it"
        )
