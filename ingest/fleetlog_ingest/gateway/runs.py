"""What the gateway asks of a run before it takes writes to it."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_core.errors import FailedPrecondition, NotFound
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import event_pb2, frame_pb2

_RUN = """
SELECT experiment, state, deleted FROM runs FINAL
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

    experiment: int
    state: int
    deleted: bool


def run_status(warehouse: Warehouse, namespace: str, run_id: bytes) -> RunStatus | None:
    """None when the namespace has no such run (yet)."""
    answer = warehouse.select(Statement(_RUN, {"namespace": namespace, "run": run_id.hex()}))
    if answer.rows == 0:
        return None
    experiment, state, deleted = (int(answer.array(name)[0]) for name in ("experiment", "state", "deleted"))
    return RunStatus(experiment, state, bool(deleted))


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
        raise FailedPrecondition("RUN_DELETED", f"run {frame.run_id.hex()} is deleted; restore it to write to it")
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
