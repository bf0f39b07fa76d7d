"""What the gateway asks the warehouse of runs before it takes writes to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fleetlog_core.errors import FailedPrecondition, NotFound
from fleetlog_core.warehouse.port import Bind, Statement, Warehouse
from fleetlog_core.warehouse.schema import PURGED, SUPERSEDED
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_ingest.run_ids import AMONG_IDS, pieces

RunKey = tuple[str, bytes]
"""Namespace, run id."""
_RUNS = f"""
SELECT run_id, experiment, state, deleted, ver FROM runs FINAL
WHERE namespace = {{namespace:String}} AND run_id {AMONG_IDS} AND experiment IN (
    SELECT experiment FROM run_homes WHERE namespace = {{namespace:String}} AND run_id {AMONG_IDS})
"""
_PAST_THE_END = (event_pb2.RUN_OPENING_RESUME, event_pb2.RUN_OPENING_ANNOTATE)
"""Openings by which a writer that is new to it may write to a run that ended."""
_WRITERS = f"""
SELECT run_id, ranges, request FROM writers FINAL
WHERE namespace = {{namespace:String}} AND run_id {AMONG_IDS} AND writer_id = unhex({{writer:String}})
"""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run as the warehouse has it. `ver` is the offset of the last record that changed it."""

    experiment: int
    state: int
    deleted: bool
    ver: int = 0
    purged: bool = False
    """True if it is gone for good: it takes nothing, and nobody is shown it."""

    superseded: bool = False
    """True if it was rewound: who goes on with the run goes on with another branch."""

    @property
    def takes_writers(self) -> bool:
        """True if whoever joins it may write to it."""
        return not self.deleted and self.state in (event_pb2.RUN_STATE_RUNNING, event_pb2.RUN_STATE_LOST)

    @property
    def is_open(self) -> bool:
        """True if whoever likes may write to it."""
        return self.takes_writers and not self.superseded


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """A writer as the warehouse has it: inclusive ranges of applied sequences, and the digest of its request or 0."""

    ranges: tuple[tuple[int, int], ...]
    request: int

    def has(self, frame: frame_pb2.Frame) -> bool:
        """True if every event of the frame is applied."""
        first, last = frame.events[0].sequence, frame.events[-1].sequence
        return any(low <= first and last <= high for low, high in self.ranges)


def run_statuses(warehouse: Warehouse, keys: Collection[RunKey], timeout_seconds: float) -> dict[RunKey, RunStatus]:
    """Status of each run that its namespace has by now; others are left out."""
    by_namespace: defaultdict[str, list[bytes]] = defaultdict(list)
    for namespace, run_id in keys:
        by_namespace[namespace].append(run_id)
    found: dict[RunKey, RunStatus] = {}
    for namespace, run_ids in by_namespace.items():
        for piece in pieces(run_ids):
            binds: dict[str, Bind] = {"namespace": namespace, "ids": piece}
            answer = warehouse.select(Statement(_RUNS, binds), timeout_seconds=timeout_seconds)
            columns = (answer.array(name).tolist() for name in ("experiment", "state", "deleted", "ver"))
            for run_id, experiment, state, deleted, ver in zip(answer.array("run_id"), *columns, strict=True):
                found[(namespace, run_id.tobytes())] = RunStatus(
                    experiment, state, deleted in (1, PURGED), ver, deleted == PURGED, deleted == SUPERSEDED
                )
    return found


def run_status(warehouse: Warehouse, namespace: str, run_id: bytes) -> RunStatus | None:
    """None when the namespace has no such run (yet)."""
    return run_statuses(warehouse, [(namespace, run_id)], 30.0).get((namespace, run_id))


def writer_statuses(
    warehouse: Warehouse, namespace: str, run_ids: Sequence[bytes], writer_id: bytes
) -> dict[bytes, WriterStatus]:
    """Status of one writer on each run to which something of it is applied by now; others are left out."""
    found: dict[bytes, WriterStatus] = {}
    for piece in pieces(run_ids):
        binds: dict[str, Bind] = {"namespace": namespace, "ids": piece, "writer": writer_id.hex()}
        answer = warehouse.select(Statement(_WRITERS, binds))
        requests = answer.array("request").tolist()
        for run_id, text, request in zip(answer.array("run_id"), answer.texts("ranges"), requests, strict=True):
            ranges = (part.partition("-") for part in text.split(",") if part)
            inclusive = tuple((int(first), int(last or first)) for first, _, last in ranges)
            found[run_id.tobytes()] = WriterStatus(inclusive, request)
    return found


def writer_status(warehouse: Warehouse, namespace: str, run_id: bytes, writer_id: bytes) -> WriterStatus | None:
    """None when nothing of the writer is applied to the run (yet)."""
    return writer_statuses(warehouse, namespace, [run_id], writer_id).get(run_id)


def run_not_found(run_id: bytes) -> NotFound:
    """The one text for a run that is not there, and for one of another namespace."""
    return NotFound("RUN_NOT_FOUND", f"there is no run {run_id.hex()} in this namespace")


def opens(frame: frame_pb2.Frame) -> event_pb2.RunOpening.ValueType | None:
    """How the frame opens its run; None when it goes on with it."""
    event = frame.events[0]
    return event.run_started.opening if event.sequence == 1 and event.HasField("run_started") else None


def check_admitted(status: RunStatus, writer: WriterStatus | None, frame: frame_pb2.Frame) -> None:
    """RUN_DELETED; RUN_REWOUND when it was rewound and a writer that is new to it resumes it; RUN_FINISHED when the run
    ended, the writer is new to it, and neither resumes nor annotates it.

    A writer that was at work when the run ended may deliver what it still holds: nothing is lost by a rank that
    finishes early. And what the run has already is no write: its answer may have been lost.
    """
    if writer is not None and writer.has(frame):
        return
    run = frame.run_id.hex()
    if status.deleted:
        raise FailedPrecondition(
            "RUN_DELETED",
            f"run {run} is deleted and takes nothing; restore it to write to it, and start_run(run_id=…, resume=True)"
            " goes on with it when it has ended",
        )
    event = frame.events[0]
    opening = event.run_started.opening if event.HasField("run_started") else event_pb2.RUN_OPENING_UNSPECIFIED
    if status.superseded and writer is None and opening == event_pb2.RUN_OPENING_RESUME:
        raise FailedPrecondition(
            "RUN_REWOUND",
            f"run {run} was rewound, and goes on as another branch; start_run(run_id=…, resume=True) finds that one",
        )
    if opening in _PAST_THE_END:
        return
    if not status.takes_writers and writer is None:
        raise FailedPrecondition(
            "RUN_FINISHED", f"run {run} has ended; start_run(run_id=…, resume=True) goes on with it"
        )
