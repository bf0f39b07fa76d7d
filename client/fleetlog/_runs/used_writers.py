"""Writer ids that a user gives may have been used before, for other events: those of this process are not taken then.

A gateway refuses what its stream remembers. The rest is found out when events are applied and is recorded on the run:
who waits for that is told.
"""

from __future__ import annotations

from fleetlog_proto.v1 import query_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._events.items import Writer
from fleetlog.errors import FleetlogError

REUSED = "SEQUENCE_REUSED"


def warn_if_used(delivery: Delivery, writer: Writer, timeout_seconds: float) -> None:
    """One read of the run's problems, for a writer whose id was given. Warns; a read that fails says nothing."""
    if not writer.is_given:
        return
    connection, run_id = delivery.connection, writer.run_id.hex()
    request = query_pb2.GetRunRequest(
        namespace=writer.namespace, run_id=run_id, read_mask=["attributes"], at_least=connection.position()
    )
    try:
        problems = connection.call(connection.query.GetRun, request, timeout_seconds).run.problems
    except FleetlogError as error:
        delivery.warn("used", f"run {run_id}: its problems can't be read: {error}")
        return
    for problem in problems:
        if problem.reason == REUSED and problem.writer_id == writer.writer_id.hex():
            delivery.warn(f"used:{run_id}", f"run {run_id}, writer {problem.writer_id}: {problem.message}")
            return
