"""Runs that go on from a step of another one: what start_run asks of the server before it makes a writer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fleetlog_core.errors import FailedPrecondition, InvalidArgument
from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_proto.v1 import ingest_pb2, query_pb2, run_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._runs.start_arguments import id_of
from fleetlog._values.arguments import invalid
from fleetlog._values.values import Unusable, step_number
from fleetlog.errors import DeadlineExceeded

BRANCH_SECONDS = 60.0
"""Longest wait for a branch to be made: the server adds up the points that it has."""


@dataclass(frozen=True, slots=True)
class BranchPoint:
    """Where a run is to go on from: a run, and the last step that is kept of it."""

    run_id: bytes
    step: int
    rewinds: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that was made, and the experiment that it is in."""

    run_id: bytes
    experiment: str
    experiment_id: int


def branch_point(fork_from: object, rewind_to_step: object, known: bytes | None) -> BranchPoint | None:
    """None when neither is asked for. InvalidArgument. `known`: the run that is to be joined."""
    if rewind_to_step is not None:
        if fork_from is not None:
            raise invalid("fork_from", fork_from, "given together with rewind_to_step; give one of the two")
        if known is None:
            what = "it rewinds a run; give its run_id or its key, or resume=id"
            raise InvalidArgument.of_field("ARGUMENT_INVALID", "rewind_to_step", what)
        return BranchPoint(known, _step("rewind_to_step", rewind_to_step), True)
    if fork_from is None:
        return None
    if known is not None:
        what = "a fork is a new run, with an id of its own; leave run_id, key and resume out"
        raise InvalidArgument.of_field("ARGUMENT_INVALID", "fork_from", what)
    if not isinstance(fork_from, (tuple, list)) or len(fork_from) != 2:
        raise invalid("fork_from", fork_from, "a run and a step, such as (run_id, 1000)")
    return BranchPoint(id_of("fork_from[0]", fork_from[0]), _step("fork_from[1]", fork_from[1]), False)


def made_branch(delivery: Delivery, namespace: str, point: BranchPoint, start_millis: int) -> Branch:
    """Make the branch, behind everything that this process has logged. FleetlogError."""
    if delivery.offline:
        field = "rewind_to_step" if point.rewinds else "fork_from"
        raise FailedPrecondition(
            "OFFLINE", f"{field}: a branch is made by the server, which FLEETLOG_MODE=offline never tries; leave it out"
        )
    connection, deadline = delivery.connection, time.monotonic() + BRANCH_SECONDS
    if not delivery.flush(BRANCH_SECONDS):
        raise DeadlineExceeded("NOT_DURABLE", f"{connection.target} takes no events, of which a branch could be made")
    source = point.run_id
    if point.rewinds:
        source = current_branch(delivery, namespace, source, max(0.1, deadline - time.monotonic())) or source
    request = ingest_pb2.BranchRunRequest(
        namespace=namespace, run_id=source.hex(), step=point.step, rewinds=point.rewinds,
        branch_run_id=new_run_id(start_millis or None), request_id=new_random_id(), at_least=connection.position(),
    )  # fmt: skip
    made = connection.call(connection.ingest.BranchRun, request, max(0.1, deadline - time.monotonic()))
    connection.saw(made.position)
    asked = query_pb2.GetExperimentRequest(namespace=namespace, experiment_id=made.experiment_id)
    experiment = connection.call(
        connection.query.GetExperiment, asked, max(0.1, deadline - time.monotonic())
    ).experiment  # fmt: skip
    return Branch(bytes.fromhex(made.branch_run_id), experiment.name, made.experiment_id)


def current_branch(delivery: Delivery, namespace: str, run_id: bytes, timeout_seconds: float) -> bytes | None:
    """The branch that stands in the place of a run by now; None when there is no such run. FleetlogError."""
    deadline = time.monotonic() + timeout_seconds
    seen = set[bytes]()
    while True:
        found = _attributes(delivery, namespace, run_id, max(0.1, deadline - time.monotonic()))
        if found is None:
            return run_id if seen else None
        seen.add(run_id)
        behind = bytes.fromhex(found.superseded_by)
        if not behind or behind in seen:
            return run_id
        run_id = behind


def _attributes(delivery: Delivery, namespace: str, run_id: bytes, timeout_seconds: float) -> run_pb2.Run | None:
    connection = delivery.connection
    request = query_pb2.GetRunsRequest(namespace=namespace, run_ids=[run_id.hex()], read_mask=["attributes"])
    runs = connection.call(connection.query.GetRuns, request, timeout_seconds).runs
    return runs[0] if runs else None


def _step(name: str, value: object) -> int:
    try:
        return step_number(value)
    except Unusable as error:
        raise InvalidArgument.of_field(error.reason, name, str(error)) from None
