"""The last step of a run that was there before, so that steps that nobody gives go on behind it."""

from __future__ import annotations

import time

from fleetlog_proto.v1 import position_pb2, query_pb2

from fleetlog._capture.system_metrics import PREFIX
from fleetlog._delivery.delivery import Delivery
from fleetlog._events.items import Marker, Writer
from fleetlog.errors import DeadlineExceeded, FleetlogError


def last_step(delivery: Delivery, writer: Writer, timeout_seconds: float) -> int | None:
    """The highest step of all metrics of the writer's run; None when there is none, or no answer in time (then warns).

    The writer's first event comes behind everything that the run had before: so what is read just before it has it
    all, also what another process wrote a moment ago. The event itself tells no step, and is not waited for: a run
    that nobody writes to is answered for at once.
    """
    deadline = time.monotonic() + timeout_seconds
    run_id = writer.run_id.hex()
    try:
        request = query_pb2.GetRunsRequest(
            namespace=writer.namespace, run_ids=[run_id], read_mask=["metrics"], at_least=_position(delivery, deadline)
        )
        connection = delivery.connection
        answer = connection.call(connection.query.GetRuns, request, max(0.1, deadline - time.monotonic()))
    except FleetlogError as error:
        delivery.warn(
            f"steps:{run_id}", f"run {run_id}: its last step is not known, steps that are not given begin at 0: {error}"
        )
        return None
    # Metrics of the machine have steps of their own.
    metrics = [metric for run in answer.runs for metric in run.metrics if not metric.key.startswith(PREFIX)]
    return max((metric.last_step for metric in metrics), default=None)


def _position(delivery: Delivery, deadline: float) -> position_pb2.Position:
    """Just before the process's last event of each partition, once all are durable: not before the writer's first."""
    marker = Marker()
    delivery.outbox.put(marker)
    if not marker.reached.wait(max(0.0, deadline - time.monotonic())):
        raise DeadlineExceeded("NOT_DURABLE", f"{delivery.connection.target} takes no events")
    position = delivery.connection.position()
    for entry in position.offsets:
        entry.next_offset = max(0, entry.next_offset - 1)
    return position
